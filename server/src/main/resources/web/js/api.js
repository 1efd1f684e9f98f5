// Requests to the server that this page came from, with the key that the tab holds.

const KEY = 'kvasir.key';

export class ApiError extends Error {
  /** @param status the HTTP status; 0 where there was no answer at all */
  constructor(status, message, { retryAfter = 0, code = null } = {}) {
    super(message);
    this.status = status;
    this.retryAfter = retryAfter;
    this.code = code;
  }
}

export const key = {
  get: () => sessionStorage.getItem(KEY),
  set: (value) => sessionStorage.setItem(KEY, value),
  clear: () => sessionStorage.removeItem(KEY),
};

/** Sends a request. Throws an ApiError for anything but success, and AbortError as it is. */
export async function send(path, { method = 'GET', body, signal, keepalive = false } = {}) {
  const headers = {};
  if (key.get()) {
    headers.Authorization = `Bearer ${key.get()}`;
  }
  if (body !== undefined) {
    headers['Content-Type'] = 'application/json';
  }
  let response;
  try {
    response = await fetch(path, {
      method,
      headers,
      signal,
      keepalive,
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: 'no-store',
      credentials: 'omit',
    });
  } catch (e) {
    throw e.name === 'AbortError' ? e : new ApiError(0, 'The server is not answering.');
  }
  if (!response.ok) {
    throw await refusal(response);
  }
  return response;
}

async function refusal(response) {
  let error = {};
  try {
    error = (await response.json()).error ?? {};
  } catch {
    // Something between here and the server answered in its own form.
  }
  return new ApiError(response.status, error.message ?? `The server answered ${response.status}.`, {
    retryAfter: Number(response.headers.get('Retry-After')) || 0,
    code: error.code,
  });
}

export async function json(path, options) {
  return (await send(path, options)).json();
}

/** The data of server-sent events, one string each. */
export async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) {
        return;
      }
      const parts = (rest + value).split('\n\n');
      rest = parts.pop();
      for (const part of parts) {
        if (part.startsWith('data: ')) {
          yield part.slice(6);
        }
      }
    }
  } catch (e) {
    throw e.name === 'AbortError' ? e : new ApiError(0, 'The connection to the server was lost.');
  } finally {
    reader.cancel().catch(() => {});
  }
}
