import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Run } from './contestant';

/** Runs a program to its end and says how long it took. @throws Error with what it printed when it ends with another code than 0 */
export async function timed(
  program: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<Run> {
  const began = performance.now();
  const child = spawn(program, [...args], {
    env: { PATH: process.env['PATH'], LANG: 'C.UTF-8', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
    });
  }
  const [code] = await once(child, 'close');
  const milliseconds = performance.now() - began;
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${code}:\n${text}`);
  return { milliseconds };
}
