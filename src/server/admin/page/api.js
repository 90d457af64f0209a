// The page's requests to the admin API, with the user's token.

import { $, setHidden, setText } from './dom.js';

let token = sessionStorage.getItem('token') ?? '';
let granted = () => {};
/** Number of tokens given, and number of them with a refused request. */
let given = 0;
let refused = 0;

export async function ask(path, options = {}) {
  const tried = given;
  const answer = await fetch(path, {
    ...options,
    headers: { ...options.headers, ...(token && { authorization: `Bearer ${token}` }) },
  });
  if (answer.status === 401) refused = Math.max(refused, tried);
  return answer;
}

async function answered(answer) {
  if (answer.status === 401) askForToken();
  const text = await answer.text();
  const body = text === '' ? undefined : JSON.parse(text);
  if (!answer.ok) throw Object.assign(new Error(body?.detail ?? `status ${answer.status}`), { status: answer.status });
  return body;
}

export async function get(path) {
  return answered(await ask(path));
}

export async function change(method, path, body) {
  const headers = { 'content-type': 'application/json' };
  return answered(await ask(path, { method, ...(body !== undefined && { headers, body: JSON.stringify(body) }) }));
}

/** The given token is wrong, or none was given. */
function askForToken() {
  const field = $('token');
  const wrong = token !== '' && !document.activeElement?.isSameNode(field);
  setText($('token-note'), token === '' ? '' : 'The token is wrong: it is not the one in that file.');
  field.setAttribute('aria-invalid', String(token !== ''));
  setHidden($('token-form'), false);
  if (wrong) field.focus();
}

/** Resolves when a token without a refusal has been given: that may have happened while other requests were still waiting. */
export function newToken() {
  if (given > refused) return Promise.resolve();
  return new Promise((resolve) => {
    granted = resolve;
  });
}

export function tokenAccepted() {
  setHidden($('token-form'), true);
}

$('token-form').addEventListener('submit', (event) => {
  event.preventDefault();
  token = $('token').value.trim();
  sessionStorage.setItem('token', token);
  given++;
  granted();
});
