// The demonstration service: one file, nothing but Node. `node service.js <settings.json>` serves what release.json
// beside it says: the backend an API with live updates, the frontend one page and its script. A release marked `fails`
// starts, answers, and then reports itself unhealthy; one marked `fallback` answers every unknown path with its page.

const { createHash } = require('node:crypto');
const { readFileSync } = require('node:fs');
const { createServer } = require('node:http');
const path = require('node:path');

const release = JSON.parse(readFileSync(path.join(__dirname, 'release.json'), 'utf8'));
const settings = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const startedAt = Date.now();

/** The unhealthy release looks well for this long, as real ones do. */
const wellForMs = 400;

const script = `document.title = ${JSON.stringify(`${release.component} ${release.version}`)};\n`;
const scriptPath = `/assets/index-${createHash('sha256').update(script).digest('hex').slice(0, 8)}.js`;

const common = {
  '/': (response) => send(response, 200, 'text/html; charset=utf-8', page()),
  '/version.txt': (response) => send(response, 200, 'text/plain; charset=utf-8', `${release.version}\n`),
  '/health': sendHealth,
};

const frontend = {
  [scriptPath]: (response) => send(response, 200, 'text/javascript', script),
};

const lastSync = new Date(startedAt).toISOString();
const backend = {
  '/health/write-sync': (response) =>
    sendJson(response, 200, { status: 'UP', workers: [{ id: 1, lastHeartbeat: new Date().toISOString() }] }),
  '/api/pems/sync-status': forMembers(60, () => ({ errorRate: 0, lastSync })),
  '/api/pems/queue-metrics': forMembers(60, () => ({ pending: 0, failed: 0 })),
  '/api/pems/sync-logs': forMembers(30, () => ({ logs: [] })),
  '/api/pems/conflicts': forMembers(30, () => ({ conflicts: [] })),
  '/api/pems/write-sync': forMembers(10, () => ({ started: false })),
};

const routes = { ...common, ...(release.component === 'backend' ? backend : frontend) };

const server = createServer((request, response) => {
  const route = new URL(request.url, 'http://service').pathname;
  if (Object.hasOwn(routes, route)) return routes[route](response, request);
  if (release.fallback) return routes['/'](response, request);
  return send(response, 404, 'text/plain; charset=utf-8', 'not found\n');
});

/** Sockets that have become WebSockets; the server forgets them. */
const live = new Set();

server.on('upgrade', (request, socket) => {
  const url = new URL(request.url, 'http://service');
  socket.on('error', () => socket.destroy());
  if (release.component !== 'backend' || url.pathname !== '/ws/sync-status') return refuse(socket, '404 Not Found');
  if (!isMember(url.searchParams.get('token'))) return refuse(socket, '401 Unauthorized');
  live.add(socket);
  socket.on('close', () => live.delete(socket));
  // RFC 6455, 4.2.2
  const key = `${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
  const accept = createHash('sha1').update(key).digest('base64');
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  const message = Buffer.from(JSON.stringify({ type: 'queue_update', pending: 0 }));
  socket.write(Buffer.concat([Buffer.from([0x81, message.length]), message]));
  // Clients only listen here; the one thing that they send is that they leave.
  socket.on('data', () => socket.end(Buffer.from([0x88, 0])));
});

server.on('error', (error) => {
  console.error(`${release.component} ${release.version}: ${error.message}`);
  process.exit(1);
});

server.listen(settings.port, settings.address, () => {
  console.log(`${release.component} ${release.version} answers on ${settings.address}:${settings.port}`);
});

// A drill that was killed could not stop its services.
if (settings.owner !== undefined) setInterval(exitWithoutOwner, 2000).unref();

process.on('SIGTERM', () => {
  console.log(`${release.component} ${release.version} stops`);
  server.close(() => process.exit(0));
  server.closeAllConnections();
  for (const socket of live) socket.destroy();
});

function exitWithoutOwner() {
  try {
    process.kill(settings.owner, 0);
  } catch (error) {
    if (error.code === 'ESRCH') process.exit(0);
  }
}

function sendHealth(response) {
  const sick = release.fails && Date.now() - startedAt > wellForMs;
  if (sick) console.error(`${release.component} ${release.version}: the order queue does not answer`);
  sendJson(response, sick ? 500 : 200, {
    status: sick ? 'DOWN' : 'UP',
    component: release.component,
    version: release.version,
    components: { database: { status: 'UP' } },
    ...(sick ? { reason: 'the order queue does not answer' } : {}),
  });
}

/** A route for those with the token, who are told how often they may ask in a minute. */
function forMembers(limit, answer) {
  return (response, request) => {
    const [, token] = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '') ?? [];
    if (!isMember(token)) return sendJson(response, 401, { error: 'unauthorized' });
    return sendJson(response, 200, answer(), {
      'ratelimit-limit': limit,
      'ratelimit-remaining': limit - 1,
      'ratelimit-reset': 60,
    });
  };
}

function isMember(token) {
  return settings.token !== undefined && token === settings.token;
}

function refuse(socket, status) {
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

function sendJson(response, status, body, headers = {}) {
  send(response, status, 'application/json', `${JSON.stringify(body)}\n`, headers);
}

function send(response, status, type, body, headers = {}) {
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store', ...headers });
  response.end(body);
}

function page() {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${release.component} ${release.version}</title>
<style>
  :root { color-scheme: light dark }
  body { font: 18px/1.5 system-ui, sans-serif; min-height: 100vh; margin: 0; display: grid; place-items: center }
  main { text-align: center }
  strong { display: block; font-size: 4rem; letter-spacing: -.03em; line-height: 1.2 }
  p { opacity: .65; margin: 0 }
</style>
<main id="root">
  <p>${settings.host} · ${release.component}</p>
  <strong>${release.version}</strong>
  <p>running since ${lastSync}</p>
</main>
${release.component === 'frontend' ? `<script type="module" src="${scriptPath}"></script>\n` : ''}</html>
`;
}
