// The stream of /kv/live: opened while the page is visible, opened again when it breaks.

import { events, send } from './api.js';

const LONGEST_WAIT = 10;

export class Live {
  /**
   * @param onEvent takes each event
   * @param onStatus takes 'connecting', 'live', 'paused', 'offline', 'locked' or 'full', and the
   *   seconds until the next try
   */
  constructor(onEvent, onStatus) {
    this.onEvent = onEvent;
    this.onStatus = onStatus;
    this.abort = null;
    this.timer = 0;
    this.failures = 0;
    document.addEventListener('visibilitychange', () => {
      if (document.hidden) {
        this.close('paused');
      } else {
        this.open();
      }
    });
  }

  open() {
    this.close('connecting');
    if (document.hidden) {
      this.onStatus('paused', 0);
      return;
    }
    this.abort = new AbortController();
    this.read(this.abort);
  }

  close(status) {
    clearTimeout(this.timer);
    this.abort?.abort();
    this.abort = null;
    this.onStatus(status, 0);
  }

  async read(abort) {
    try {
      const response = await send('/kv/live', { signal: abort.signal });
      for await (const data of events(response)) {
        if (abort.signal.aborted) {
          return;
        }
        if (data !== '[DONE]') {
          this.failures = 0;
          this.onEvent(JSON.parse(data));
          this.onStatus('live', 0);
        }
      }
      this.again(abort, 'offline');
    } catch (e) {
      if (e.status === 401) {
        this.onStatus('locked', 0);
      } else {
        this.again(abort, e.status === 429 ? 'full' : 'offline');
      }
    }
  }

  again(abort, status) {
    if (abort.signal.aborted) {
      return;
    }
    const wait = Math.min(LONGEST_WAIT, 2 ** this.failures++);
    this.onStatus(status, wait);
    this.timer = setTimeout(() => this.open(), wait * 1000);
  }
}
