// The page that the browser tests load: phones made with JsSIP and SIP.js as an application would make them. Whoever drives the
// page starts and stops them by name, and reads what happened to them.

import JsSIP from 'jssip';
import { Registerer, RegistererState, UserAgent, UserAgentState, version } from 'sip.js';

/** By name: { events, stop, … }. */
const phones = {};

/** By user: what is to be done with a 200 to a REGISTER. The libraries do not tell of refreshes. */
const onRefresh = {};

/** By user: the newest GRUUs that the registrar gave it, { pub, temp }. Neither library shows them all. */
const gruus = {};

/** What goes over the page's sockets, heard without being in the way. */
window.WebSocket = class extends WebSocket {
  constructor(...args) {
    super(...args);
    this.addEventListener('message', ({ data }) => {
      const user = /^To: .*<sip:([^@]+)@/m.exec(data)?.[1];
      if (!data.startsWith('SIP/2.0 200') || !/^CSeq: [0-9]+ REGISTER/m.test(data)) return;
      const given = (kind) => new RegExp(`;${kind}-gruu="([^"]*)"`).exec(data)?.[1];
      if (given('pub') !== undefined) gruus[user] = { pub: given('pub'), temp: given('temp') };
      onRefresh[user]?.();
    });
  }
};

/** A panel, and a list of what happened to a phone. */
function panel(title) {
  const section = document.createElement('section');
  section.innerHTML = '<h2></h2><ol></ol>';
  const heading = section.querySelector('h2');
  heading.textContent = title;
  const state = document.createElement('span');
  state.className = 'state';
  heading.append(state);
  document.querySelector('main').append(section);
  const started = performance.now();
  const events = [];
  const note = (event, detail = '') => {
    events.push(event);
    state.textContent = event;
    state.className = `state ${event}`;
    const line = document.createElement('li');
    line.textContent = `${((performance.now() - started) / 1000).toFixed(1)} s  ${event} ${detail}`;
    section.querySelector('ol').append(line);
  };
  return { events, note };
}

function startJsSip({ name, url, user, domain, password, expires }) {
  const { events, note } = panel(`JsSIP ${JsSIP.version}: ${user}@${domain}`);
  onRefresh[user] = () => note('confirmed');
  const ua = new JsSIP.UA({
    sockets: [new JsSIP.WebSocketInterface(url)],
    uri: `sip:${user}@${domain}`,
    password,
    register_expires: expires,
    connection_recovery_min_interval: 1,
    connection_recovery_max_interval: 1,
    session_timers: false,
  });
  ua.on('connected', () => note('connected', url));
  ua.on('disconnected', () => note('disconnected'));
  ua.on('registered', ({ response }) => note('registered', response.getHeader('Contact')));
  ua.on('unregistered', () => note('unregistered'));
  // A call rings (JsSIP says so by itself), and is turned down: the page has no microphone.
  ua.on('newRTCSession', ({ originator, session }) => {
    if (originator !== 'remote') return;
    note('call', session.remote_identity.uri.toString());
    setTimeout(() => session.terminate({ status_code: 486 }), 100);
  });
  ua.on('registrationFailed', ({ cause, response }) => note('failed', `${cause} ${response?.status_code ?? ''}`));
  ua.start();
  phones[name] = {
    events,
    contact: () => ua.contact.uri.toString(),
    unregister: () => ua.unregister(),
    stop: () => ua.stop(),
  };
}

async function startSipJs({ name, url, user, domain, password, expires }) {
  const { events, note } = panel(`SIP.js ${version}: ${user}@${domain}`);
  onRefresh[user] = () => note('confirmed');
  const ua = new UserAgent({
    uri: UserAgent.makeURI(`sip:${user}@${domain}`),
    authorizationUsername: user,
    authorizationPassword: password,
    transportOptions: { server: url, keepAliveInterval: 1 },
    logBuiltinEnabled: false,
  });
  const registerer = new Registerer(ua, { expires, refreshFrequency: 50, regId: 1 });
  const register = () =>
    registerer.register({
      requestDelegate: {
        onAccept: ({ message }) => note('registered', message.getHeader('Contact')),
        onReject: ({ message }) => note('failed', message.statusCode),
      },
    });
  registerer.stateChange.addListener((state) => {
    if (state === RegistererState.Unregistered) note('unregistered');
  });
  // As its documentation recommends: reconnecting is the application's part.
  const reconnect = () =>
    setTimeout(() => {
      if (ua.state === UserAgentState.Started) ua.reconnect().then(register, reconnect);
    }, 1000);
  ua.delegate = {
    onConnect: () => note('connected', url),
    onDisconnect: (error) => {
      note('disconnected');
      if (error) reconnect();
    },
  };
  phones[name] = {
    events,
    contact: () => ua.contact.uri.toString(),
    unregister: () => registerer.unregister(),
    stop: () => ua.stop(),
  };
  await ua.start();
  await register();
}

Object.assign(window, { phones, gruus, startJsSip, startSipJs });
