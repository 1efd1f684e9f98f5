// Numbers for people.

const WHOLE = new Intl.NumberFormat('en-US');

export function count(n) {
  return WHOLE.format(n);
}

export function plural(n, one, many = `${one}s`) {
  return `${count(n)} ${n === 1 ? one : many}`;
}

export function bytes(n) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = n;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value >= 100 || unit === 0 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

export function seconds(s) {
  if (!(s > 0)) {
    return '–';
  }
  if (s < 0.9995) {
    const ms = s * 1000;
    return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
  }
  return `${s.toFixed(s < 10 ? 2 : 1)} s`;
}

export function rate(perSecond) {
  return perSecond < 10 ? perSecond.toFixed(1) : count(Math.round(perSecond));
}

export function percent(part, whole) {
  return whole > 0 ? `${Math.round((100 * part) / whole)}%` : '–';
}

/** Makes an element with a class and text or children. */
export function element(tag, className = '', ...children) {
  const made = document.createElement(tag);
  if (className) {
    made.className = className;
  }
  made.append(...children);
  return made;
}

/** Changes the text only where it differs, so that nothing is laid out anew for nothing. */
export function setText(node, text) {
  if (node.textContent !== text) {
    node.textContent = text;
  }
}
