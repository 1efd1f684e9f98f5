// What the person chose: the theme stays for good, everything else as long as the tab is open.

const THEMES = ['auto', 'light', 'dark'];
const THEME = 'kvasir.theme';

export const settings = {
  system: '',
  temperature: 0.7,
  maxTokens: null,
};

const byId = (id) => document.getElementById(id);

export function bindSettings({ onForgetKey }) {
  const dialog = byId('settings');
  const system = byId('system');
  const temperature = byId('temperature');
  const shown = byId('temperature-now');
  const maxTokens = byId('max-tokens');
  byId('open-settings').addEventListener('click', () => {
    system.value = settings.system;
    temperature.value = settings.temperature;
    shown.value = settings.temperature.toFixed(2);
    maxTokens.value = settings.maxTokens ?? '';
    dialog.showModal();
  });
  temperature.addEventListener('input', () => {
    shown.value = Number(temperature.value).toFixed(2);
  });
  dialog.addEventListener('close', () => {
    settings.system = system.value.trim();
    settings.temperature = Number(temperature.value);
    const most = parseInt(maxTokens.value, 10);
    settings.maxTokens = most > 0 ? most : null;
  });
  byId('forget-key').addEventListener('click', () => {
    dialog.close();
    onForgetKey();
  });
}

/** @param onChange called after the colours have changed */
export function bindTheme(onChange) {
  const button = byId('theme');
  const apply = (theme) => {
    document.documentElement.dataset.theme = theme;
    button.textContent = `Theme: ${theme}`;
    onChange();
  };
  button.addEventListener('click', () => {
    const at = THEMES.indexOf(document.documentElement.dataset.theme);
    const next = THEMES[(at + 1) % THEMES.length];
    localStorage.setItem(THEME, next);
    apply(next);
  });
  const kept = localStorage.getItem(THEME);
  apply(THEMES.includes(kept) ? kept : 'auto');
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', onChange);
}
