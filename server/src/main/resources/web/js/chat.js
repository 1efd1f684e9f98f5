// The left half: conversations, messages and the field to write in.

import { ApiError, events, send } from './api.js';
import { Conversation } from './conversation.js';
import { element } from './format.js';
import { MessageView } from './message.js';
import { settings } from './settings.js';

const byId = (id) => document.getElementById(id);
const EXAMPLES = [
  'Tell me a short story about a fox who finds a lantern.',
  'Tell me a short story about two friends who build a boat.',
  'Tell me a story about the winter when the snow began to sing.',
];

export class Chat {
  /** @param onLocked called where the server wants another key */
  constructor({ onLocked }) {
    this.onLocked = onLocked;
    this.box = byId('messages');
    this.prompt = byId('prompt');
    this.views = new Map();
    this.conversations = [new Conversation()];
    this.current = this.conversations[0];
    byId('composer').addEventListener('submit', (event) => {
      event.preventDefault();
      this.submit();
    });
    byId('stop').addEventListener('click', () => this.stop());
    byId('new-chat').addEventListener('click', () => this.open(new Conversation()));
    this.prompt.addEventListener('keydown', (event) => {
      if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        this.submit();
      }
    });
    document.addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && this.current.busy && !document.querySelector('dialog[open]')) {
        this.stop();
      }
    });
    this.box.addEventListener('click', (event) => {
      const button = event.target.closest('[data-copy]');
      if (button) {
        copy(button.parentElement.querySelector('code').textContent, button);
      }
    });
    addEventListener('pagehide', () => this.conversations.forEach((one) => one.close()));
    this.show();
  }

  open(conversation) {
    this.conversations.push(conversation);
    this.select(conversation);
    this.prompt.focus();
  }

  select(conversation) {
    this.current = conversation;
    this.note(null);
    this.show();
  }

  close(conversation) {
    conversation.close();
    this.conversations = this.conversations.filter((one) => one !== conversation);
    if (this.conversations.length === 0) {
      this.conversations.push(new Conversation());
    }
    this.select(this.conversations.at(-1));
  }

  show() {
    this.showTabs();
    this.views.clear();
    this.box.replaceChildren();
    if (this.current.messages.length === 0) {
      this.box.append(this.welcome());
    }
    this.current.messages.forEach((message) => this.append(message));
    this.showBusy();
    this.box.scrollTop = this.box.scrollHeight;
  }

  showTabs() {
    byId('conversations').replaceChildren(...this.conversations.map((one) => {
      const name = element('button', one.parent ? 'branch' : '', one.name);
      name.type = 'button';
      name.title = one.name;
      name.addEventListener('click', () => this.select(one));
      const close = element('button', 'close', '×');
      close.type = 'button';
      close.setAttribute('aria-label', `Close ${one.name}`);
      close.addEventListener('click', () => this.close(one));
      const item = element('li', '', name, close);
      if (one === this.current) {
        item.dataset.current = '';
        name.setAttribute('aria-current', 'true');
      }
      return item;
    }));
  }

  welcome() {
    const list = element('div');
    for (const text of EXAMPLES) {
      const button = element('button', '', text);
      button.type = 'button';
      button.addEventListener('click', () => {
        this.prompt.value = text;
        this.submit();
      });
      list.append(button);
    }
    const intro = 'What you write becomes blocks in the cache beside this chat. Ask, branch an answer, and see what is shared.';
    return element('div', 'welcome', element('h2', '', 'Ask, and watch it remember'), element('p', '', intro), list);
  }

  append(message) {
    const view = new MessageView(message, [
      { label: 'Copy', title: 'Copy the answer', run: (button) => copy(message.content, button) },
      { label: 'Regenerate', title: 'Ask for another answer', run: () => this.regenerate(message) },
      { label: 'Branch', title: 'Go on from here in a new conversation that shares this one’s cache', run: () => this.branch(message) },
    ]);
    this.views.set(message, view);
    this.box.querySelector('.welcome')?.remove();
    this.box.append(view.root);
    return view;
  }

  showBusy() {
    const busy = this.current.busy;
    byId('stop').hidden = !busy;
    byId('send').hidden = busy;
  }

  submit() {
    const text = this.prompt.value.trim();
    if (!text || this.current.busy) {
      return;
    }
    this.prompt.value = '';
    const message = { role: 'user', content: text };
    this.current.messages.push(message);
    this.append(message);
    this.answer(this.current);
  }

  stop() {
    this.current.abort?.abort();
  }

  regenerate(message) {
    const at = this.current.messages.indexOf(message);
    if (at < 0 || this.current.busy) {
      return;
    }
    this.current.messages.length = at;
    this.show();
    this.answer(this.current);
  }

  async branch(message) {
    try {
      this.open(await this.current.branch(this.current.messages.indexOf(message)));
    } catch (e) {
      this.fail(e, () => this.branch(message));
    }
  }

  /** Asks for the next answer of a conversation and shows it as it comes. */
  async answer(conversation) {
    const message = { role: 'assistant', content: '', reasoning: '', state: 'writing' };
    conversation.abort = new AbortController();
    conversation.messages.push(message);
    this.note(null);
    this.append(message);
    this.showTabs();
    this.showBusy();
    this.follow(true);
    try {
      await this.read(conversation, message);
      message.state = 'done';
      byId('announce').textContent = `Answer: ${message.content.slice(0, 500)}`;
    } catch (e) {
      message.state = 'stopped';
      if (e.name !== 'AbortError') {
        this.dropEmpty(conversation, message);
        this.fail(e, () => this.retry(conversation));
      }
    } finally {
      conversation.abort = null;
      this.draw(message);
      this.showBusy();
    }
  }

  async read(conversation, message) {
    const { signal } = conversation.abort;
    await conversation.openSession();
    const response = await this.request(conversation, signal);
    const start = conversation.asked;
    let first = 0;
    let last = 0;
    let chunks = 0;
    for await (const data of events(response)) {
      if (data === '[DONE]') {
        break;
      }
      const chunk = JSON.parse(data);
      if (chunk.error) {
        throw new ApiError(chunk.error.code, chunk.error.message);
      }
      message.usage = chunk.usage ?? message.usage;
      message.finish = chunk.choices[0]?.finish_reason ?? message.finish;
      const delta = chunk.choices[0]?.delta;
      if (delta) {
        last = performance.now();
        first ||= last;
        chunks++;
        message.content += delta.content ?? '';
        message.reasoning += delta.reasoning_content ?? '';
        message.stats = {
          first: (first - start) / 1000,
          rate: last > first + 50 ? ((chunks - 1) * 1000) / (last - first) : 0,
        };
        this.drawSoon(message);
      }
    }
  }

  async request(conversation, signal) {
    const body = {
      messages: conversation.history(settings.system),
      stream: true,
      stream_options: { include_usage: true },
      temperature: settings.temperature,
    };
    if (settings.maxTokens) {
      body.max_tokens = settings.maxTokens;
    }
    conversation.asked = performance.now();
    const ask = () => send('/v1/chat/completions', {
      method: 'POST',
      signal,
      body: conversation.session ? { ...body, session_id: conversation.session } : body,
    });
    try {
      return await ask();
    } catch (e) {
      if (conversation.session && e.status === 404) {
        conversation.session = null; // It has expired; the prefix cache may still know the past.
        return ask();
      }
      throw e;
    }
  }

  retry(conversation) {
    if (!conversation.busy && conversation.messages.at(-1)?.role === 'user') {
      this.select(conversation);
      this.answer(conversation);
    }
  }

  dropEmpty(conversation, message) {
    if (!message.content && !message.reasoning) {
      conversation.messages = conversation.messages.filter((one) => one !== message);
      this.views.get(message)?.root.remove();
      this.views.delete(message);
    }
  }

  /** Redraws at most once a frame. */
  drawSoon(message) {
    if (!message.scheduled) {
      message.scheduled = true;
      requestAnimationFrame(() => {
        message.scheduled = false;
        this.draw(message);
      });
    }
  }

  draw(message) {
    const stay = this.isAtEnd();
    this.views.get(message)?.update();
    this.follow(stay);
  }

  isAtEnd() {
    return this.box.scrollHeight - this.box.scrollTop - this.box.clientHeight < 60;
  }

  follow(stay) {
    if (stay) {
      this.box.scrollTop = this.box.scrollHeight;
    }
  }

  fail(error, again) {
    if (error.status === 401) {
      this.onLocked(again);
      return;
    }
    const wait = error.retryAfter ? ` Try again in ${error.retryAfter} s.` : '';
    const said = error.status === 429 ? 'The server has no room in its queue.' : sentence(error.message);
    this.note(said + wait, again);
  }

  note(text, again) {
    const note = byId('chat-note');
    const stay = this.isAtEnd();
    note.hidden = !text;
    note.replaceChildren(element('span', '', text ?? ''));
    if (text && again) {
      const button = element('button', '', 'Try again');
      button.type = 'button';
      button.addEventListener('click', () => {
        this.note(null);
        again();
      });
      note.append(element('span', 'spring'), button);
    }
    this.follow(stay);
  }
}

function sentence(text) {
  const begun = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(begun) ? begun : `${begun}.`;
}

async function copy(text, button) {
  const label = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = 'Copied';
  } catch {
    button.textContent = 'Not allowed';
  }
  setTimeout(() => {
    button.textContent = label;
  }, 1200);
}
