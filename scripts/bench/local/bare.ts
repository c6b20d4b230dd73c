import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, existsSync, readFileSync } from 'node:fs';
import { type Site, serviceCommand } from './site';

/** Ends the running service, waits for its end, and starts it in `current`, as a hand-written script would. */
const restart = `pid=$(cat pid 2>/dev/null || :)
if [ -n "$pid" ] && kill "$pid" 2>/dev/null; then
  while kill -0 "$pid" 2>/dev/null && ! grep -q '^State:.Z' "/proc/$pid/status" 2>/dev/null; do sleep 0.01; done
fi
(cd current && exec setsid /bin/sh -c '${serviceCommand}' </dev/null >>../log 2>&1) &
echo $! >pid`;

/**
 * The pipeline that people write by hand: one connection of the ssh program, the artifact over standard input, unpack,
 * link, restart. Nothing is verified, synced to disk or recorded. Returns milliseconds.
 */
export async function bareDeployment(site: Site, artifact: string, release: string): Promise<number> {
  const unpack = site.packing === 'tar' ? 'tar -xf -' : 'tar -xzf -';
  const script = `set -e
cd '${site.bareRoot}'
mkdir releases/${release}
${unpack} -C releases/${release}
ln -s releases/${release} .next
mv -T .next current
${restart}`;
  const began = performance.now();
  const child = spawn('ssh', [...site.sshArguments, script], { stdio: ['pipe', 'ignore', 'pipe'] });
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint += text;
  });
  createReadStream(artifact, { highWaterMark: 256 * 1024 }).pipe(child.stdin);
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`the bare pipeline ended with ${code}: ${complaint}`);
  return performance.now() - began;
}

/** The service's own restart on the host, without a connection; in milliseconds. */
export function bareRestart(site: Site): number {
  const began = performance.now();
  const { status, stderr } = spawnSync('/bin/sh', ['-c', `cd '${site.bareRoot}'\n${restart}`], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`the restart ended with ${status}: ${stderr}`);
  return performance.now() - began;
}

/** Ends the process that a pid file names; not finding one is fine. */
export function stopService(pidFile: string): void {
  if (!existsSync(pidFile)) return;
  const pid = Number(readFileSync(pidFile, 'utf8').trim().split(' ')[0]);
  if (Number.isSafeInteger(pid) && pid > 1) spawnSync('kill', [String(pid)]);
}
