// Every block as a cell on a canvas. Only cells that changed are drawn; the cursor and what is
// highlighted lie on a second canvas above.

import { palette, SHADES, STATES } from './cells.js';
import { count, plural } from './format.js';

const LARGEST = 22;
const MOST_HEIGHT = 300;
const SAID = {
  free: 'free',
  private: 'held by one sequence',
  shared: 'shared',
  cached: 'cached, nobody holds it',
  pinned: 'pinned',
  in_transfer: 'waiting for a lower tier',
};

export class Grid {
  constructor(cells, { canvas, over, box, detail }) {
    Object.assign(this, { cells, canvas, over, box, detail });
    this.paint = canvas.getContext('2d', { alpha: false });
    this.mark = over.getContext('2d');
    this.dirty = new Set();
    this.all = true;
    this.cursor = -1;
    this.highlighted = [];
    this.pitch = 0;
    this.scheduled = false;
    this.drawMillis = [];
    new ResizeObserver(() => this.layOut()).observe(box);
    over.addEventListener('pointermove', (event) => this.point(this.at(event)));
    over.addEventListener('pointerdown', (event) => this.point(this.at(event)));
    over.addEventListener('pointerleave', () => this.point(-1));
    over.addEventListener('blur', () => this.point(-1));
    over.addEventListener('focus', () => this.cursor < 0 && this.point(0));
    over.addEventListener('keydown', (event) => this.press(event));
    this.recolour();
  }

  recolour() {
    this.colours = palette(SHADES);
    [this.ink] = palette(['c-ink']);
    this.repaint();
  }

  /** Chooses the largest cells with which all blocks fit the box. */
  layOut() {
    const width = this.box.clientWidth;
    const { capacity } = this.cells;
    if (width === 0 || capacity === 0) {
      return;
    }
    const least = capacity > 40_000 ? 2 : 4;
    let pitch = LARGEST;
    while (pitch > least && Math.ceil(capacity / Math.floor(width / pitch)) * pitch > MOST_HEIGHT) {
      pitch--;
    }
    this.pitch = pitch;
    this.gap = pitch >= 10 ? 2 : pitch >= 4 ? 1 : 0;
    this.columns = Math.floor(width / pitch);
    const height = Math.ceil(capacity / this.columns) * pitch;
    this.scale = Math.min(2, devicePixelRatio || 1);
    for (const canvas of [this.canvas, this.over]) {
      canvas.width = Math.round(width * this.scale);
      canvas.height = Math.round(height * this.scale);
      canvas.style.width = `${width}px`;
      canvas.style.height = `${height}px`;
    }
    this.repaint();
  }

  repaint() {
    this.all = true;
    this.schedule();
  }

  /** @param blocks that changed; null for all */
  update(blocks) {
    if (blocks === null) {
      this.layOut();
      this.repaint();
    } else {
      blocks.forEach((block) => this.dirty.add(block));
      if (blocks.length > 0) {
        this.schedule();
      }
    }
    if (this.cursor >= 0 && (blocks === null || blocks.includes(this.cursor))) {
      this.describe();
    }
  }

  schedule() {
    if (!this.scheduled) {
      this.scheduled = true;
      requestAnimationFrame(() => {
        this.scheduled = false;
        this.draw();
      });
    }
  }

  draw() {
    if (this.pitch === 0) {
      return;
    }
    const start = performance.now();
    this.paint.setTransform(this.scale, 0, 0, this.scale, 0, 0);
    if (this.all) {
      this.paint.fillStyle = this.groundColour();
      this.paint.fillRect(0, 0, this.canvas.width, this.canvas.height);
      this.drawCells(this.cells.state.keys());
      this.drawMarks();
    } else {
      this.drawCells(this.dirty);
    }
    this.all = false;
    this.dirty.clear();
    this.drawMillis.push(performance.now() - start);
    if (this.drawMillis.length > 600) {
      this.drawMillis.shift();
    }
  }

  groundColour() {
    return getComputedStyle(this.box.closest('.panel')).backgroundColor;
  }

  /** Cell by cell, colour by colour, so that the colour is set as rarely as can be. */
  drawCells(blocks) {
    const { cells, paint, pitch, columns } = this;
    const size = pitch - this.gap;
    const byShade = SHADES.map(() => []);
    for (const block of blocks) {
      byShade[cells.shade(block)].push(block);
    }
    const blockTokens = cells.info.block_tokens;
    const partial = size >= 8;
    byShade.forEach((list, shade) => {
      paint.fillStyle = this.colours[shade];
      for (const block of list) {
        const x = (block % columns) * pitch;
        const y = Math.floor(block / columns) * pitch;
        if (partial && shade > 0 && cells.tokens[block] < blockTokens) {
          const full = Math.max(2, Math.round((size * cells.tokens[block]) / blockTokens));
          paint.fillStyle = this.colours[0];
          paint.fillRect(x, y, size, size);
          paint.fillStyle = this.colours[shade];
          paint.fillRect(x, y + size - full, size, full);
        } else {
          paint.fillRect(x, y, size, size);
        }
      }
    });
  }

  /** Outlines the blocks of a table, or none. */
  highlight(blocks) {
    this.highlighted = blocks;
    this.drawMarks();
  }

  drawMarks() {
    const { mark, pitch, columns } = this;
    if (pitch === 0) {
      return;
    }
    mark.setTransform(this.scale, 0, 0, this.scale, 0, 0);
    mark.clearRect(0, 0, this.over.width, this.over.height);
    const size = pitch - this.gap;
    const place = (block) => [(block % columns) * pitch, Math.floor(block / columns) * pitch];
    mark.strokeStyle = this.ink;
    mark.lineWidth = pitch >= 10 ? 2 : 1;
    for (const block of this.highlighted) {
      const [x, y] = place(block);
      mark.strokeRect(x + 0.5, y + 0.5, size - 1, size - 1);
    }
    if (this.cursor >= 0) {
      const [x, y] = place(this.cursor);
      mark.lineWidth = 2;
      mark.strokeRect(x - 1, y - 1, size + 2, size + 2);
    }
  }

  at(event) {
    if (this.pitch === 0) {
      return -1;
    }
    const column = Math.floor(event.offsetX / this.pitch);
    const block = Math.floor(event.offsetY / this.pitch) * this.columns + column;
    return column < this.columns && block < this.cells.capacity ? block : -1;
  }

  press(event) {
    const moves = {
      ArrowLeft: -1,
      ArrowRight: 1,
      ArrowUp: -this.columns,
      ArrowDown: this.columns,
      PageUp: -10 * this.columns,
      PageDown: 10 * this.columns,
    };
    const last = this.cells.capacity - 1;
    let to;
    if (event.key in moves) {
      to = this.cursor + moves[event.key];
    } else if (event.key === 'Home') {
      to = 0;
    } else if (event.key === 'End') {
      to = last;
    } else {
      return;
    }
    event.preventDefault();
    this.point(Math.max(0, Math.min(last, to)));
    this.reveal();
  }

  reveal() {
    const y = Math.floor(this.cursor / this.columns) * this.pitch;
    const { scrollTop, clientHeight } = this.box;
    if (y < scrollTop || y + this.pitch > scrollTop + clientHeight) {
      this.box.scrollTop = y - clientHeight / 2;
    }
  }

  point(block) {
    if (block !== this.cursor) {
      this.cursor = block;
      this.drawMarks();
      this.describe();
    }
  }

  describe() {
    const { cells, cursor } = this;
    if (cursor < 0 || cursor >= cells.capacity) {
      this.detail.textContent = 'Point at a block, or focus the grid and use the arrow keys.';
      return;
    }
    const state = STATES[cells.state[cursor]];
    const parts = [state === 'shared' ? `shared by ${cells.references[cursor]}` : SAID[state]];
    if (state !== 'free') {
      parts.push(`${cells.tokens[cursor]} of ${cells.info.block_tokens} tokens`);
      parts.push(plural(cells.hits[cursor], 'hit'));
      if (cells.info.groups.length > 1) {
        parts.push(`layer group ${cells.group[cursor]}`);
      }
      const ids = cells.holders(cursor);
      if (ids.length > 0) {
        const shown = ids.slice(0, 6).map((id) => `#${id}`).join(', ');
        parts.push(`in ${shown}${ids.length > 6 ? ' and more' : ''}`);
      }
    }
    const name = document.createElement('b');
    name.textContent = `Block ${count(cursor)}`;
    this.detail.replaceChildren(name, ` · ${parts.join(' · ')}`);
  }
}
