// The most used prefixes as a tree: what they begin with, how long they are, how often they hit.

import { count, element, plural, setText } from './format.js';

export class Prefixes {
  constructor({ tree, empty, sum }) {
    Object.assign(this, { tree, empty, sum });
    this.rows = [];
    tree.addEventListener('keydown', (event) => this.press(event));
  }

  update(prefixes) {
    const ordered = inTreeOrder(prefixes);
    while (this.rows.length > ordered.length) {
      this.rows.pop().root.remove();
    }
    ordered.forEach(({ prefix, level }, i) => {
      this.rows[i] ??= this.addRow(i);
      show(this.rows[i], prefix, level);
    });
    this.empty.hidden = ordered.length > 0;
    const hits = prefixes.filter((prefix) => prefix.hits > 0).length;
    setText(this.sum, ordered.length ? `the ${plural(ordered.length, 'most used run')}, ${count(hits)} hit` : '');
  }

  addRow(i) {
    const row = {
      root: element('div', 'prefix'),
      mark: element('i', 'mark'),
      words: element('span'),
      tokens: element('span', 'tokens'),
      hits: element('span', 'hits'),
    };
    row.root.setAttribute('role', 'treeitem');
    row.root.tabIndex = i === 0 ? 0 : -1;
    row.root.append(element('span', 'text', row.mark, row.words), row.tokens, row.hits);
    this.tree.append(row.root);
    return row;
  }

  press(event) {
    const at = this.rows.findIndex((row) => row.root === document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: this.rows.length - 1 }[event.key];
    if (at >= 0 && to !== undefined && this.rows[to]) {
      event.preventDefault();
      this.rows[at].root.tabIndex = -1;
      this.rows[to].root.tabIndex = 0;
      this.rows[to].root.focus();
    }
  }
}

/** Depth first, siblings in the order of their use. */
function inTreeOrder(prefixes) {
  const below = new Map();
  prefixes.forEach((prefix, i) => {
    const list = below.get(prefix.parent) ?? [];
    list.push(i);
    below.set(prefix.parent, list);
  });
  const ordered = [];
  const visit = (parent, level) => {
    for (const i of below.get(parent) ?? []) {
      ordered.push({ prefix: prefixes[i], level });
      visit(i, level + 1);
    }
  };
  visit(-1, 0);
  return ordered;
}

function show(row, prefix, level) {
  const text = prefix.text === undefined ? 'another tenant’s text' : visible(prefix.text);
  setText(row.words, text);
  setText(row.tokens, plural(prefix.tokens, 'token'));
  setText(row.hits, plural(prefix.hits, 'hit'));
  row.hits.classList.toggle('none', prefix.hits === 0);
  row.root.style.setProperty('--level', level);
  row.root.dataset.level = level;
  row.root.setAttribute('aria-level', level + 1);
  const held = prefix.references === 0 ? 'c-cached' : prefix.references === 1 ? 'c-private' : 'c-shared-2';
  row.mark.className = `mark ${held}`;
  const use = prefix.references === 0 ? 'held by nobody' : `held by ${plural(prefix.references, 'sequence')}`;
  row.root.title = `${text}\nfrom token ${count(prefix.position)}, ${plural(prefix.tokens, 'token')}, ${count(prefix.below)} with all that follow; ${use}`;
}

function visible(text) {
  const shown = text.replace(/\s+/g, ' ').trim();
  return shown ? `${shown}…` : '(white space)';
}
