// The demonstration service: one file, nothing but Node. `node service.js <settings.json>` serves what release.json
// beside it says; a release marked `fails` starts, answers, and then reports itself unhealthy.

const { readFileSync } = require('node:fs');
const { createServer } = require('node:http');
const path = require('node:path');

const release = JSON.parse(readFileSync(path.join(__dirname, 'release.json'), 'utf8'));
const settings = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const startedAt = Date.now();

/** The unhealthy release looks well for this long, as real ones do. */
const wellForMs = 400;

const server = createServer((request, response) => {
  const route = new URL(request.url, 'http://service').pathname;
  if (route === '/') return send(response, 200, 'text/html; charset=utf-8', page());
  if (route === '/version') return send(response, 200, 'text/plain; charset=utf-8', `${release.version}\n`);
  if (route === '/actuator/health') return sendHealth(response);
  return send(response, 404, 'text/plain; charset=utf-8', 'not found\n');
});

server.on('error', (error) => {
  console.error(`${release.component} ${release.version}: ${error.message}`);
  process.exit(1);
});

server.listen(settings.port, '127.0.0.1', () => {
  console.log(`${release.component} ${release.version} answers on port ${settings.port}`);
});

// A drill that was killed could not stop its services.
if (settings.owner !== undefined) setInterval(exitWithoutOwner, 2000).unref();

process.on('SIGTERM', () => {
  console.log(`${release.component} ${release.version} stops`);
  server.close(() => process.exit(0));
  server.closeAllConnections();
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
  const body = {
    status: sick ? 'DOWN' : 'UP',
    component: release.component,
    version: release.version,
    ...(sick ? { reason: 'the order queue does not answer' } : {}),
  };
  send(response, sick ? 500 : 200, 'application/json', `${JSON.stringify(body)}\n`);
}

function send(response, status, type, body) {
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' });
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
<main>
  <p>${settings.host} · ${release.component}</p>
  <strong>${release.version}</strong>
  <p>running since ${new Date(startedAt).toISOString()}</p>
</main>
</html>
`;
}
