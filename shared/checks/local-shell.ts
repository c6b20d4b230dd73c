import { spawn } from 'node:child_process';
import { runCommand } from '../host/run-command';
import type { ExecResult, RunningCommand } from '../ports';

const maxBytes = 1024 * 1024;

/**
 * Runs shell text on the runner, in the current folder, with nothing of the action's environment but what a program
 * needs to start and the given secrets. When time is up, the whole process group is killed.
 *
 * @throws UnreachableError `timed-out`; the signal's reason; the error of a shell that could not be started.
 */
export function runOnRunner(
  command: string,
  options: { timeoutMs: number; secrets: Readonly<Record<string, string>>; signal: AbortSignal },
): Promise<ExecResult> {
  const { timeoutMs, signal } = options;
  return runCommand('runner', { timeoutMs, signal, maxBytes }, () => start(command, options.secrets));
}

const passedOn = ['PATH', 'HOME', 'USER', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR'];

async function start(command: string, secrets: Readonly<Record<string, string>>): Promise<RunningCommand> {
  const env = Object.fromEntries(passedOn.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])));
  const child = spawn('/bin/sh', ['-c', command], { detached: true, env: { ...env, ...secrets }, stdio: 'pipe' });
  const killGroup = () => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    } catch (thrown) {
      // Nobody is left, or what is left belongs to another user: neither is ours to end.
      const { code } = thrown as NodeJS.ErrnoException;
      if (code !== 'ESRCH' && code !== 'EPERM') throw thrown;
    }
  };
  child.stdin.on('error', () => undefined); // a command that does not read its empty input
  const ended = new Promise<{ code: number | null; signal: string | null }>((resolve, reject) => {
    child.on('error', reject);
    // What the command left running in the background must neither survive the check nor hold its output open.
    child.on('exit', killGroup);
    child.on('close', (code, signal) => resolve({ code, signal }));
  });
  return { stdin: child.stdin, stdout: child.stdout, stderr: child.stderr, ended, abandon: killGroup };
}
