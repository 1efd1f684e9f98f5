// One conversation: its messages, and the session on the server that keeps its cache.

import { json, send } from './api.js';

let made = 0;

export class Conversation {
  constructor({ messages = [], session = null, parent = null, title = '' } = {}) {
    this.number = ++made;
    this.messages = messages;
    this.session = session;
    this.parent = parent;
    this.title = title;
    this.abort = null;
  }

  /** Whether an answer is being written. */
  get busy() {
    return this.abort !== null;
  }

  get name() {
    const first = this.messages.find((message) => message.role === 'user');
    return this.title || first?.content.trim().slice(0, 40) || 'New chat';
  }

  /** What the server is asked. */
  history(system) {
    const own = this.messages
      .filter((message) => message.role === 'user' || message.content)
      .map(({ role, content }) => ({ role, content }));
    return system ? [{ role: 'system', content: system }, ...own] : own;
  }

  /** Makes the session with the first message; a server that has no room for it does without. */
  async openSession() {
    if (this.session) {
      return;
    }
    try {
      this.session = (await json('/kv/sessions', { method: 'POST' })).id;
    } catch (e) {
      if (e.status === 0 || e.status === 401) {
        throw e;
      }
    }
  }

  /** A conversation that goes on from the answer at `index`, over the same cache blocks. */
  async branch(index) {
    const messages = this.messages.slice(0, index + 1).map((message) => ({ ...message }));
    let session = null;
    if (this.session) {
      try {
        session = (await json(`/kv/sessions/${this.session}/fork`, { method: 'POST' })).id;
      } catch (e) {
        if (e.status === 0 || e.status === 401) {
          throw e;
        }
      }
    }
    return new Conversation({ messages, session, parent: this, title: `Branch of ${this.name}` });
  }

  /** Lets go of the session. */
  close() {
    this.abort?.abort();
    if (this.session) {
      const session = this.session;
      this.session = null;
      send(`/kv/sessions/${session}`, { method: 'DELETE', keepalive: true }).catch(() => {});
    }
  }
}
