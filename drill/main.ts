import { realpathSync } from 'node:fs';
import path from 'node:path';
import { SafeguardError, toError } from '../shared/errors';
import { runDrill } from './drill';
import { type Options, parseOptions, usage } from './options';
import { Progress } from './progress';
import { findRepository } from './repository';

const cannotStart = 2;

class Interrupted extends Error {
  readonly exitCode: number;

  constructor(signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP') {
    super(`ended by ${signal}`);
    this.exitCode = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 }[signal];
  }
}

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) {
    process.stdout.write(usage);
    return 0;
  }
  const [major = 0] = process.versions.node.split('.').map(Number);
  if (major < 20) {
    throw new SafeguardError(`The drill needs Node 20 or newer; this is ${process.version}.`, {
      fault: 'configuration',
      code: 'drill-node-too-old',
    });
  }
  return play(options);
}

async function play(options: Options): Promise<number> {
  const ending = new AbortController();
  let finished = false;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (!ending.signal.aborted) process.stderr.write(`\n${signal}: cleaning up.\n`);
      ending.abort(new Interrupted(signal));
    });
  }
  const progress = new Progress(process.stdout, {
    verbose: options.verbose,
    color: process.env['NO_COLOR'] === undefined,
  });
  try {
    const ok = await runDrill({
      options,
      repository: findRepository(path.dirname(realpathSync(process.argv[1] ?? '.'))),
      resultFolder: process.cwd(),
      progress,
      signal: ending.signal,
    });
    finished = true;
    return ok ? 0 : 1;
  } catch (thrown) {
    if (thrown instanceof Interrupted && !finished) return thrown.exitCode;
    throw thrown;
  }
}

function explain(thrown: unknown): void {
  const error = toError(thrown);
  process.stderr.write(`\nThe drill stopped: ${error.message}\n`);
  if (error instanceof SafeguardError) {
    if (error.remedy !== undefined) process.stderr.write(`${error.remedy}\n`);
  } else if (error.stack !== undefined) process.stderr.write(`${error.stack}\n`);
}

// The `exit` event that follows takes down what is still up.
for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(event, (thrown: unknown) => {
    explain(thrown);
    process.exit(cannotStart);
  });
}

main().then(
  (code) => process.exit(code),
  (thrown: unknown) => {
    explain(thrown);
    process.exit(cannotStart);
  },
);
