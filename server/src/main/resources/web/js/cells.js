// What the page knows of the cache: every block, every table, the totals. Fed by events of
// /kv/live, which tell everything once and then what changed.

const CELL_BYTES = 12;

export const STATES = ['free', 'private', 'shared', 'cached', 'pinned', 'in_transfer'];
export const FREE = 0;
export const SHARED = 2;
export const CACHED = 3;

export class Cells {
  constructor() {
    this.resize(0);
    this.tables = new Map();
    this.tableCount = 0;
    this.states = {};
    this.info = {};
  }

  resize(capacity) {
    this.capacity = capacity;
    this.state = new Uint8Array(capacity);
    this.references = new Uint8Array(capacity);
    this.tokens = new Uint8Array(capacity);
    this.group = new Uint8Array(capacity);
    this.hits = new Uint32Array(capacity);
    this.lastUse = new Uint32Array(capacity);
  }

  /**
   * Takes an event over.
   * @returns the blocks that changed: a list, or null for all
   */
  apply(event) {
    if (event.full) {
      this.info = event;
      this.resize(event.capacity_blocks);
      this.tables.clear();
    }
    const changed = event.cells ? this.unpack(event.cells) : [];
    this.states = event.states;
    this.tableCount = event.tables.count;
    for (const id of event.tables.gone) {
      this.tables.delete(id);
    }
    for (const table of event.tables.changed) {
      this.applyTable(table);
    }
    return event.full ? null : changed;
  }

  unpack(packed) {
    const text = atob(packed);
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) {
      bytes[i] = text.charCodeAt(i);
    }
    const view = new DataView(bytes.buffer);
    const changed = [];
    let at = 0;
    while (at < bytes.length) {
      const start = view.getUint32(at, true);
      const count = view.getUint32(at + 4, true);
      at += 8;
      for (let block = start; block < start + count && block < this.capacity; block++) {
        this.state[block] = bytes[at];
        this.references[block] = bytes[at + 1];
        this.tokens[block] = bytes[at + 2];
        this.group[block] = bytes[at + 3];
        this.hits[block] = view.getUint32(at + 4, true);
        this.lastUse[block] = view.getUint32(at + 8, true);
        changed.push(block);
        at += CELL_BYTES;
      }
    }
    return changed;
  }

  applyTable({ id, length, reserved, moving, groups }) {
    const before = this.tables.get(id);
    this.tables.set(id, {
      id,
      length,
      reserved,
      moving,
      groups: groups.map(({ first, keep, add }, g) => ({
        first,
        blocks: keep > 0 ? before.groups[g].blocks.slice(0, keep).concat(add) : add,
      })),
    });
  }

  /** A number for the colour of a block: its state, and how many hold a shared one. */
  shade(block) {
    const state = this.state[block];
    if (state !== SHARED) {
      return state < SHARED ? state : state + 3;
    }
    const held = this.references[block];
    return held <= 2 ? 2 : held <= 4 ? 3 : held <= 8 ? 4 : 5;
  }

  /** The tables that hold a block. */
  holders(block) {
    const ids = [];
    for (const table of this.tables.values()) {
      if (table.groups.some((group) => group.blocks.includes(block))) {
        ids.push(table.id);
      }
    }
    return ids;
  }
}

/** Class names of the colours, by shade. */
export const SHADES = [
  'c-free', 'c-private', 'c-shared-1', 'c-shared-2', 'c-shared-3', 'c-shared-4',
  'c-cached', 'c-pinned', 'c-in_transfer',
];

/** Reads the colours that the style sheet gives to class names, as the theme has them now. */
export function palette(names) {
  const probe = document.createElement('i');
  document.body.append(probe);
  const colours = names.map((name) => {
    probe.className = name;
    return getComputedStyle(probe).backgroundColor;
  });
  probe.remove();
  return colours;
}
