// The engine's pace: tokens per second, times to tokens, the queue; and the tiers below the cache.

import { bytes, count, element, percent, rate, seconds, setText } from './format.js';
import { palette } from './cells.js';

const SAMPLES = 60;
const SAMPLE_MS = 1000;

export class Vitals {
  constructor(nodes) {
    Object.assign(this, nodes); // rate, spark, times, facts, tiers, sum
    this.rates = [];
    this.lastTokens = -1;
    this.facts.append(...['Running', 'Waiting', 'Prompt tokens found', 'Evicted', 'Preempted', 'Memory']
      .map((name) => element('div', '', element('dt', '', name), element('dd', '', '–'))));
    this.times.append(...['First token', 'Between tokens'].map((name) => {
      const head = element('th', '', name);
      head.scope = 'row';
      return element('tr', '', head, element('td', '', '–'), element('td', '', '–'), element('td', '', '–'));
    }));
    setInterval(() => this.sample(), SAMPLE_MS);
    new ResizeObserver(() => this.draw()).observe(this.spark);
    this.recolour();
  }

  recolour() {
    [this.ink, this.line] = palette(['c-accent', 'c-free']);
    this.draw();
  }

  update(event) {
    this.tokens = event.counters.generated_tokens;
    if (event.full) {
      this.lastTokens = -1;
    }
    const { engine, counters } = event;
    const values = [
      count(engine.running),
      count(engine.waiting),
      percent(counters.hit_tokens, counters.lookup_tokens),
      count(counters.evicted_blocks),
      count(engine.preemptions),
      bytes(event.resident_bytes),
    ];
    this.facts.querySelectorAll('dd').forEach((node, i) => setText(node, values[i]));
    const rows = [event.first_token, event.between_tokens];
    [...this.times.rows].forEach((row, r) => {
      ['p50', 'p95', 'p99'].forEach((name, c) => setText(row.cells[c + 1], seconds(rows[r][name])));
    });
    this.showTiers(event);
  }

  /** Once a second, whether events come or not: nothing changes where nothing is generated. */
  sample() {
    if (this.tokens === undefined || document.hidden) {
      this.lastTokens = -1;
      return;
    }
    const now = performance.now();
    const gained = this.lastTokens < 0 ? 0 : this.tokens - this.lastTokens;
    const perSecond = this.sampled ? (gained * 1000) / (now - this.sampled) : 0;
    this.lastTokens = this.tokens;
    this.sampled = now;
    this.rates.push(perSecond);
    if (this.rates.length > SAMPLES) {
      this.rates.shift();
    }
    setText(this.rate, perSecond > 0 ? rate(perSecond) : '0');
    const most = Math.max(...this.rates);
    setText(this.sum, most > 0 ? `last minute, most ${rate(most)}` : 'last minute');
    this.draw();
  }

  draw() {
    const width = this.spark.clientWidth;
    const height = this.spark.clientHeight;
    if (!width || !this.rates) {
      return;
    }
    const scale = Math.min(2, devicePixelRatio || 1);
    this.spark.width = Math.round(width * scale);
    this.spark.height = Math.round(height * scale);
    const paint = this.spark.getContext('2d');
    paint.scale(scale, scale);
    const most = Math.max(1, ...this.rates);
    const step = width / SAMPLES;
    const from = SAMPLES - this.rates.length;
    paint.fillStyle = this.line;
    paint.fillRect(0, height - 1, width, 1);
    paint.fillStyle = this.ink;
    this.rates.forEach((value, i) => {
      const tall = value > 0 ? Math.max(2, ((height - 2) * value) / most) : 0;
      paint.fillRect((from + i) * step, height - tall, Math.max(1, step - 1), tall);
    });
  }

  showTiers(event) {
    const held = event.capacity - event.states.free;
    const rows = [
      {
        name: 'Device',
        share: held / event.capacity,
        fact: `${count(held)} of ${count(event.capacity)} blocks`,
      },
      ...event.tiers.map((tier) => ({
        name: tier.name.charAt(0).toUpperCase() + tier.name.slice(1),
        share: tier.capacity_bytes > 0 ? tier.bytes / tier.capacity_bytes : 0,
        fact: `${bytes(tier.bytes)} of ${bytes(tier.capacity_bytes)} · ${count(tier.hits)} hits`,
      })),
    ];
    while (this.tiers.children.length < rows.length) {
      this.tiers.append(element('li', '', element('span', 'name'), element('span', 'meter', element('i')), element('span', 'fact')));
    }
    rows.forEach((row, i) => {
      const [name, meter, fact] = this.tiers.children[i].children;
      setText(name, row.name);
      setText(fact, row.fact);
      meter.firstChild.style.width = `${(100 * row.share).toFixed(1)}%`;
    });
  }
}
