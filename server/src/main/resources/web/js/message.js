// How one message looks.

import { count, element, rate, seconds } from './format.js';
import { render } from './markdown.js';

/** Draws a message and redraws it while its answer comes. */
export class MessageView {
  /** @param actions buttons of an answer: { label, title, run } */
  constructor(message, actions) {
    this.message = message;
    this.body = element('div', 'body');
    this.foot = element('div', 'foot');
    this.facts = element('span', 'facts-line');
    const user = message.role === 'user';
    this.root = element('article', `message ${message.role}`);
    this.root.setAttribute('aria-label', user ? 'You' : 'Answer');
    if (user) {
      this.body.textContent = message.content;
      this.root.append(this.body);
      return;
    }
    this.buttons = actions.map(({ label, title, run }) => {
      const button = element('button', 'quiet small', label);
      button.type = 'button';
      button.title = title;
      button.addEventListener('click', () => run(button));
      return button;
    });
    this.foot.append(...this.buttons, this.facts);
    this.root.append(this.body, this.foot);
    this.update();
  }

  update() {
    const { content, reasoning, state } = this.message;
    const parts = render(content);
    if (reasoning) {
      const thinking = element('details', '', element('summary', '', 'Thinking'));
      thinking.open = this.body.querySelector('details')?.open ?? false;
      thinking.append(render(reasoning));
      parts.prepend(thinking);
    }
    this.body.replaceChildren(parts);
    const writing = state === 'writing';
    const last = this.body.lastElementChild;
    const place = last && /^(P|H\d)$/.test(last.tagName) ? last : this.body;
    this.body.classList.remove('waiting');
    place.classList.toggle('waiting', writing);
    this.root.setAttribute('aria-busy', String(writing));
    for (const button of this.buttons) {
      button.hidden = writing;
    }
    this.facts.replaceChildren(...facts(this.message));
  }
}

function facts({ state, usage, stats, finish }) {
  const parts = [];
  if (usage) {
    parts.push(`${count(usage.completion_tokens)} tokens`);
  }
  if (stats?.rate) {
    parts.push(`${rate(stats.rate)} tok/s`);
  }
  if (stats?.first) {
    parts.push(`first after ${seconds(stats.first)}`);
  }
  const nodes = [parts.join(' · ')];
  const cached = usage?.prompt_tokens_details?.cached_tokens;
  if (cached !== undefined) {
    nodes.push(' · ', element('b', '', `${count(cached)} of ${count(usage.prompt_tokens)}`), ' cached');
  }
  if (finish === 'length') {
    nodes.push(' · ended at its length limit');
  }
  if (state === 'stopped') {
    nodes.push(`${parts.length ? ' · ' : ''}stopped`);
  }
  return nodes;
}
