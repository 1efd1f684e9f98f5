// A small Markdown reader that builds DOM nodes. Text only ever becomes text nodes, so that no
// answer can bring elements, attributes or scripts of its own.

import { element } from './format.js';

const FENCE = /^\s*(```+|~~~+)\s*([\w+#.-]*)/;
const HEADING = /^(#{1,6})\s+(.*?)\s*#*$/;
const ITEM = /^(\s*)([-*+]|\d{1,9}[.)])\s+(.*)$/;
const RULE = /^\s*([-*_])(\s*\1){2,}\s*$/;
const TABLE_LINE = /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)+\|?\s*$/;
const MAX_DEPTH = 12;

/** The text as nodes. */
export function render(text) {
  const into = document.createDocumentFragment();
  blocks(text.replace(/\r\n?/g, '\n').split('\n'), into, 0);
  return into;
}

function blocks(lines, into, depth) {
  let i = 0;
  while (i < lines.length) {
    const line = lines[i];
    if (!line.trim()) {
      i++;
    } else if (FENCE.test(line)) {
      i = fence(lines, i, into);
    } else if (HEADING.test(line)) {
      const [, marks, title] = HEADING.exec(line);
      const heading = element(`h${Math.min(5, marks.length + 2)}`);
      inline(title, heading, 0);
      into.append(heading);
      i++;
    } else if (RULE.test(line)) {
      into.append(element('hr'));
      i++;
    } else if (/^\s*>/.test(line) && depth < MAX_DEPTH) {
      i = quote(lines, i, into, depth);
    } else if (ITEM.test(line) && depth < MAX_DEPTH) {
      i = list(lines, i, into, depth);
    } else if (line.includes('|') && TABLE_LINE.test(lines[i + 1] ?? '')) {
      i = table(lines, i, into);
    } else {
      i = paragraph(lines, i, into);
    }
  }
}

function fence(lines, from, into) {
  const [, marks, language] = FENCE.exec(lines[from]);
  let i = from + 1;
  while (i < lines.length && !lines[i].trim().startsWith(marks)) {
    i++;
  }
  const code = element('code', '', lines.slice(from + 1, i).join('\n'));
  const copy = element('button', 'quiet small', 'Copy');
  copy.type = 'button';
  copy.dataset.copy = 'code';
  copy.setAttribute('aria-label', language ? `Copy the ${language} code` : 'Copy the code');
  into.append(element('div', 'code', element('pre', '', code), copy));
  return i + 1;
}

function quote(lines, from, into, depth) {
  const inner = [];
  let i = from;
  for (; i < lines.length && /^\s*>/.test(lines[i]); i++) {
    inner.push(lines[i].replace(/^\s*>\s?/, ''));
  }
  const made = element('blockquote');
  blocks(inner, made, depth + 1);
  into.append(made);
  return i;
}

function list(lines, from, into, depth) {
  const [, indent, mark] = ITEM.exec(lines[from]);
  const ordered = /\d/.test(mark);
  const made = element(ordered ? 'ol' : 'ul');
  if (ordered && parseInt(mark, 10) !== 1) {
    made.start = parseInt(mark, 10);
  }
  let i = from;
  while (i < lines.length) {
    const item = ITEM.exec(lines[i]);
    if (!item || item[1].length !== indent.length || /\d/.test(item[2]) !== ordered) {
      break;
    }
    const inner = [item[3]];
    for (i++; i < lines.length && belongs(lines, i, indent.length); i++) {
      inner.push(lines[i].slice(Math.min(indent.length + 2, lines[i].search(/\S|$/))));
    }
    const entry = element('li');
    blocks(inner, entry, depth + 1);
    if (entry.children.length > 0 && entry.firstElementChild.tagName === 'P') {
      entry.firstElementChild.replaceWith(...entry.firstElementChild.childNodes);
    }
    made.append(entry);
  }
  into.append(made);
  return i;
}

/** Whether a line goes on with the list item before it. */
function belongs(lines, i, indent) {
  if (!lines[i].trim()) {
    return /^\s/.test(lines[i + 1] ?? '') && (lines[i + 1] ?? '').search(/\S/) > indent;
  }
  return lines[i].search(/\S/) > indent;
}

function table(lines, from, into) {
  const cells = (line) => line.trim().replace(/^\||\|$/g, '').split('|');
  const row = (line, tag) => {
    const made = element('tr');
    for (const text of cells(line)) {
      const cell = element(tag);
      inline(text.trim(), cell, 0);
      made.append(cell);
    }
    return made;
  };
  const head = element('thead', '', row(lines[from], 'th'));
  const body = element('tbody');
  let i = from + 2;
  for (; i < lines.length && lines[i].includes('|'); i++) {
    body.append(row(lines[i], 'td'));
  }
  into.append(element('table', '', head, body));
  return i;
}

function paragraph(lines, from, into) {
  const made = element('p');
  let i = from;
  for (; i < lines.length && lines[i].trim(); i++) {
    const line = lines[i];
    if (i > from && (FENCE.test(line) || HEADING.test(line) || ITEM.test(line) || /^\s*>/.test(line))) {
      break;
    }
    if (i > from) {
      made.append(/ {2}$|\\$/.test(lines[i - 1]) ? element('br') : '\n');
    }
    inline(line.trim().replace(/\\$/, ''), made, 0);
  }
  into.append(made);
  return i;
}

const INLINE = [
  [/^(`+)([^`]|[^`][\s\S]*?[^`])\1(?!`)/, (m) => element('code', '', m[2])],
  [/^\\([!-/:-@[-`{-~])/, (m) => m[1]],
  [/^\*\*(?=\S)([\s\S]*?\S)\*\*/, (m, depth) => nested('strong', m[1], depth)],
  [/^__(?=\S)([\s\S]*?\S)__(?!\w)/, (m, depth) => nested('strong', m[1], depth)],
  [/^\*(?=[^\s*])([\s\S]*?[^\s*])\*(?!\*)/, (m, depth) => nested('em', m[1], depth)],
  [/^_(?=[^\s_])([\s\S]*?[^\s_])_(?!\w)/, (m, depth) => nested('em', m[1], depth)],
  [/^~~(?=\S)([\s\S]*?\S)~~/, (m, depth) => nested('s', m[1], depth)],
  [/^\[([^\]\n]+)\]\(\s*(\S+?)\s*\)/, (m, depth) => link(m[2], m[1], depth)],
  [/^<(https?:\/\/[^\s>]+)>/, (m) => link(m[1], m[1], MAX_DEPTH)],
  [/^https?:\/\/[^\s<>)"'\]]*[^\s<>)"'\].,;:!?]/, (m) => link(m[0], m[0], MAX_DEPTH)],
];

function inline(text, into, depth) {
  let plain = '';
  let i = 0;
  while (i < text.length) {
    const found = depth < MAX_DEPTH && /[`*_~[<\\h]/.test(text[i]) && special(text, i, depth);
    if (found) {
      into.append(plain, found.node);
      plain = '';
      i += found.length;
    } else {
      plain += text[i++];
    }
  }
  into.append(plain);
}

function special(text, at, depth) {
  const word = at > 0 && /\w/.test(text[at - 1]);
  if (word && /[_h]/.test(text[at])) {
    return null;
  }
  const rest = text.slice(at, at + 4000);
  for (const [pattern, make] of INLINE) {
    const match = pattern.exec(rest);
    if (match) {
      return { node: make(match, depth), length: match[0].length };
    }
  }
  return null;
}

function nested(tag, text, depth) {
  const made = element(tag);
  inline(text, made, depth + 1);
  return made;
}

/** Only addresses of the web become links. */
function link(address, text, depth) {
  let url = null;
  try {
    url = new URL(address);
  } catch {
    // Not an address.
  }
  if (!url || !/^https?:$/.test(url.protocol)) {
    return document.createTextNode(text);
  }
  const made = element('a');
  made.href = url.href;
  made.target = '_blank';
  made.rel = 'noopener noreferrer nofollow';
  inline(text, made, depth + 1);
  return made;
}
