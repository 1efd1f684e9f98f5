// Each live sequence's table as a strip: its blocks in order, in the colours of the grid.

import { count, element, plural, setText } from './format.js';
import { palette, SHADES } from './cells.js';

const MOST_ROWS = 20;
const HEIGHT = 12;

export class Sequences {
  /** @param onFocus takes the blocks of the row that is pointed at, or none */
  constructor(cells, { list, empty, sum }, onFocus) {
    Object.assign(this, { cells, list, empty, sum, onFocus });
    this.rows = new Map();
    this.recolour();
    new ResizeObserver(() => this.draw()).observe(list);
  }

  recolour() {
    this.colours = palette(SHADES);
    this.draw();
  }

  draw() {
    const tables = [...this.cells.tables.values()].slice(0, MOST_ROWS);
    const known = new Set(tables.map((table) => table.id));
    for (const [id, row] of this.rows) {
      if (!known.has(id)) {
        row.item.remove();
        this.rows.delete(id);
      }
    }
    const longest = Math.max(1, ...tables.map((table) => blocksOf(table)));
    for (const table of tables) {
      this.drawRow(this.rows.get(table.id) ?? this.addRow(table.id), table, longest);
    }
    const more = this.cells.tableCount - tables.length;
    const tokens = tables.reduce((total, table) => total + table.length, 0);
    this.empty.hidden = this.cells.tableCount > 0;
    setText(
      this.sum,
      this.cells.tableCount > 0
        ? `${count(this.cells.tableCount)} · ${plural(tokens, 'token')}${more > 0 ? ` in the ${tables.length} oldest` : ''}`
        : '',
    );
  }

  addRow(id) {
    const name = element('b', '', `#${id}`);
    const length = element('span');
    const canvas = element('canvas');
    canvas.setAttribute('aria-hidden', 'true');
    const item = element('li', '', element('span', 'name', name, ' ', length), canvas);
    item.tabIndex = 0;
    const focus = () => {
      const table = this.cells.tables.get(id);
      this.onFocus(table ? table.groups.flatMap((group) => group.blocks) : []);
    };
    const leave = () => this.onFocus([]);
    item.addEventListener('pointerenter', focus);
    item.addEventListener('pointerleave', leave);
    item.addEventListener('focus', focus);
    item.addEventListener('blur', leave);
    this.list.append(item);
    const row = { item, length, canvas, paint: canvas.getContext('2d') };
    this.rows.set(id, row);
    return row;
  }

  drawRow(row, table, longest) {
    setText(row.length, `${count(table.length)} tok`);
    const said = `Sequence ${table.id}: ${plural(table.length, 'token')} in ${plural(blocksOf(table), 'block')}`;
    if (row.said !== said) {
      row.said = said;
      row.item.setAttribute('aria-label', table.moving ? `${said}, waiting for a lower tier` : said);
    }
    const width = row.canvas.clientWidth;
    if (width === 0) {
      return;
    }
    const scale = Math.min(2, devicePixelRatio || 1);
    const pixels = Math.round(width * scale);
    if (row.canvas.width !== pixels) {
      row.canvas.width = pixels;
      row.canvas.height = HEIGHT * scale;
      row.canvas.style.height = `${HEIGHT}px`;
    }
    row.paint.setTransform(scale, 0, 0, scale, 0, 0);
    row.paint.clearRect(0, 0, width, HEIGHT);
    const step = Math.min(12, width / longest);
    const lane = HEIGHT / table.groups.length;
    table.groups.forEach((group, g) => {
      const y = Math.round(g * lane);
      const height = Math.max(1, Math.round((g + 1) * lane) - y - (table.groups.length > 1 ? 1 : 0));
      this.drawBlocks(row.paint, group, step, y, height);
    });
  }

  /** Neighbours of one colour in one go where cells are too narrow for gaps. */
  drawBlocks(paint, group, step, y, height) {
    const gap = step >= 4 ? 1 : 0;
    const { blocks } = group;
    let i = 0;
    while (i < blocks.length) {
      const shade = this.cells.shade(blocks[i]);
      let end = i + 1;
      while (gap === 0 && end < blocks.length && this.cells.shade(blocks[end]) === shade) {
        end++;
      }
      paint.fillStyle = this.colours[shade];
      paint.fillRect((group.first + i) * step, y, (end - i) * step - gap, height);
      i = end;
    }
  }
}

function blocksOf(table) {
  return Math.max(...table.groups.map((group) => group.first + group.blocks.length));
}
