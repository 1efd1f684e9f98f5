// Puts the page together.

import { json, key } from './api.js';
import { Cells, SHADES, STATES } from './cells.js';
import { Chat } from './chat.js';
import { count, element, percent, plural, setText } from './format.js';
import { Grid } from './grid.js';
import { Live } from './live.js';
import { Prefixes } from './prefixes.js';
import { Sequences } from './sequences.js';
import { bindSettings, bindTheme } from './settings.js';
import { Vitals } from './vitals.js';

const byId = (id) => document.getElementById(id);
const STATUS = {
  connecting: 'Connecting',
  live: 'Live',
  paused: 'Paused',
  offline: 'Offline',
  locked: 'Locked',
  full: 'Live view full',
};
const NAMES = {
  free: 'Free',
  private: 'One sequence',
  shared: 'Shared, by 2 to many',
  cached: 'Cached',
  pinned: 'Pinned',
  in_transfer: 'In transfer',
};

const cells = new Cells();
const grid = new Grid(cells, {
  canvas: byId('grid'),
  over: byId('grid-over'),
  box: byId('grid-box'),
  detail: byId('block-detail'),
});
const sequences = new Sequences(
  cells,
  { list: byId('sequences'), empty: byId('sequences-empty'), sum: byId('sequences-sum') },
  (blocks) => grid.highlight(blocks),
);
const prefixes = new Prefixes({
  tree: byId('prefixes'),
  empty: byId('prefixes-empty'),
  sum: byId('prefixes-sum'),
});
const vitals = new Vitals({
  rate: byId('rate'),
  spark: byId('spark'),
  times: byId('times'),
  facts: byId('facts'),
  tiers: byId('tiers'),
  sum: byId('pace-sum'),
});
const legend = buildLegend();
const live = new Live(onEvent, onStatus);
const chat = new Chat({ onLocked: askKey });
let drawing = false;

bindSettings({
  onForgetKey: () => {
    key.clear();
    live.open();
  },
});
bindTheme(() => {
  grid.recolour();
  sequences.recolour();
  vitals.recolour();
});
for (const button of document.querySelectorAll('.views button')) {
  button.addEventListener('click', () => show(button.dataset.view));
}
byId('audit').addEventListener('click', audit);
live.open();

/** For a look from the console and for tests. */
globalThis.kvasir = { cells, grid, live, chat, onEvent };

function onEvent(event) {
  const changed = cells.apply(event);
  grid.update(changed);
  if (event.full) {
    setText(byId('model'), event.model);
    document.title = `Kvasir · ${event.model}`;
  }
  if (event.prefixes) {
    prefixes.update(event.prefixes);
  }
  vitals.update({ ...event, capacity: cells.capacity });
  if (!drawing) {
    drawing = true;
    requestAnimationFrame(() => {
      drawing = false;
      sequences.draw();
      showTotals();
    });
  }
}

function onStatus(status, wait) {
  const node = byId('status');
  if (node.dataset.state !== status) {
    node.dataset.state = status;
    node.textContent = STATUS[status];
  }
  node.title = STATUS[status];
  const stale = ['offline', 'locked', 'full'].includes(status);
  document.querySelector('.cache').toggleAttribute('data-stale', stale);
  const note = byId('cache-note');
  note.hidden = !stale;
  if (status === 'offline') {
    setText(note, `The server is not answering. Trying again in ${wait} s; what you see is from before.`);
  } else if (status === 'full') {
    setText(note, `As many watch the cache as the server allows. Trying again in ${wait} s.`);
  } else if (status === 'locked') {
    setText(note, 'The server asks for a key.');
    askKey();
  }
}

let afterKey = null;

/** @param again what to do once there is a key */
function askKey(again) {
  const dialog = byId('ask-key');
  afterKey = again ?? afterKey;
  byId('key-wrong').hidden = !key.get();
  if (!dialog.open) {
    byId('key').value = '';
    dialog.showModal();
  }
}

byId('key-form').addEventListener('submit', () => {
  key.set(byId('key').value.trim());
  byId('key').value = '';
  live.open();
  afterKey?.();
  afterKey = null;
});

function show(view) {
  document.body.dataset.view = view;
  for (const button of document.querySelectorAll('.views button')) {
    button.setAttribute('aria-pressed', String(button.dataset.view === view));
  }
}

function buildLegend() {
  const rows = {};
  for (const state of STATES) {
    const shades = SHADES.filter((name) => name.startsWith(`c-${state}`));
    const swatches = element('span', 'swatches', ...shades.map((name) => element('i', `swatch ${name}`)));
    const number = element('b', '', '0');
    const item = element('li', '', swatches, element('span', '', NAMES[state]), number);
    const bar = element('i', shades.at(shades.length > 1 ? 1 : 0));
    byId('legend').append(item);
    if (state !== 'free') {
      byId('share').append(bar);
    }
    rows[state] = { number, bar, item };
  }
  return rows;
}

function showTotals() {
  const { states, capacity, info } = cells;
  for (const state of STATES) {
    setText(legend[state].number, count(states[state]));
    legend[state].bar.style.width = `${(100 * states[state]) / capacity}%`;
  }
  legend.pinned.item.hidden = states.pinned === 0;
  legend.in_transfer.item.hidden = states.in_transfer === 0 && info.tiers.length === 0;
  const held = capacity - states.free - states.cached;
  setText(
    byId('blocks-sum'),
    `${count(capacity)} of ${plural(info.block_tokens, 'token')} · ${held > 0 && held < capacity / 200 ? '<1%' : percent(held, capacity)} in use`,
  );
}

async function audit() {
  const button = byId('audit');
  button.disabled = true;
  try {
    const { clean, violation, micros } = await json('/kv/audit', { method: 'POST' });
    button.textContent = clean ? `Clean, in ${(micros / 1000).toFixed(1)} ms` : 'Violated';
    button.title = violation ?? 'Every invariant of the cache holds';
  } catch (e) {
    button.textContent = e.status === 401 ? 'Key wanted' : 'Not answered';
  } finally {
    button.disabled = false;
    setTimeout(() => {
      button.textContent = 'Audit';
    }, 4000);
  }
}
