import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { boxPath } from '../../drill/box';
import { marker } from '../../drill/processes';
import { freePort, type Sshd, startSshd } from './sshd';

/** Every login of a machine holds the machine's folder open under this number, so that `view` leads each into its own. */
const folderDescriptor = 7;
/** Where a link has to point to that shows each machine its own folder. */
export const viewTarget = `/proc/self/fd/${folderDescriptor}`;

export interface Fault {
  /** Verb of the agent. */
  verb: string;
  /** Text that its arguments must contain, such as `vote=yes`. */
  argument?: string;
  /** `before`: the request arrived and did nothing yet. `after`: it did its work, and the answer is not yet sent. */
  when: 'before' | 'after';
  /**
   * `hold`: waits for `release`, then goes on. `drop`: waits as well, then gives up without the work or without the
   * answer. `cut`: the machine loses its network at that moment.
   */
  what: 'hold' | 'drop' | 'cut';
}

export interface MachineOptions {
  name: string;
  /** Parent of the machine's own folder. */
  folder: string;
  /** Key that may log in, besides the server's own. */
  authorizedKey: string;
  /** Value of the variable that marks every process of the machine. */
  mark: string;
  /** The machine's programs in front of the PATH: no systemd, no sudo, a crontab of its own. Default: true. */
  boxed?: boolean;
}

/** What `current` of the one component shows. */
export interface Current {
  release: string;
  version: string;
}

/** One "host": an OpenSSH server whose logins live in a folder of their own, with a service that can be asked over HTTP. */
export class Machine {
  readonly name: string;
  readonly folder: string;
  readonly servicePort: number;
  readonly sshd: Sshd;

  static async start(options: MachineOptions): Promise<Machine> {
    const folder = join(options.folder, options.name);
    for (const part of ['tmp', 'etc', 'srv', 'var/lib', 'var/backups', 'faults', 'sshd'])
      mkdirSync(join(folder, part), { recursive: true });
    const servicePort = await freePort();
    writeFileSync(join(folder, 'etc', 'port'), `${servicePort}\n`);
    const path = options.boxed === false ? (process.env['PATH'] ?? '') : boxPath(join(folder, 'programs'));
    const login = join(folder, 'login');
    writeFileSync(login, loginScript(folder, path, options.mark), { mode: 0o755 });
    const sshd = await startSshd({
      authorizedKeys: [options.authorizedKey],
      config: [`ForceCommand ${login}`, 'MaxStartups 100', 'MaxSessions 50'],
    });
    writeFileSync(join(folder, 'faults', 'sshd-pid-file'), `${join(sshd.folder, 'pid')}\n`);
    return new Machine(options.name, folder, servicePort, sshd);
  }

  private constructor(name: string, folder: string, servicePort: number, sshd: Sshd) {
    this.name = name;
    this.folder = folder;
    this.servicePort = servicePort;
    this.sshd = sshd;
  }

  /** The agent's folder. */
  get state(): string {
    return join(this.folder, 'var/lib/deploy-safeguard/shop');
  }

  get root(): string {
    return join(this.folder, 'srv/web');
  }

  current(root = this.root): Current | null {
    let link: string;
    try {
      link = readlinkSync(join(root, 'current'));
    } catch {
      return null;
    }
    // Read through the release, not through `current`: that one may point elsewhere a moment later.
    const facts = JSON.parse(readFileSync(join(root, link, 'release.json'), 'utf8')) as { version: string };
    return { release: link, version: facts.version };
  }

  /** The version that the service answers with; null when nobody listens. */
  answers(): Promise<string | null> {
    return new Promise((resolve) => {
      const request = get({ port: this.servicePort, host: '127.0.0.1', path: '/version', agent: false }, (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('end', () => resolve(text.trim()));
        response.on('error', () => resolve(null));
      });
      request.on('error', () => resolve(null));
      request.setTimeout(2000, () => request.destroy());
    });
  }

  /** First line of a file of the agent; null when it is not there. */
  note(name: string): string | null {
    const file = join(this.state, name);
    return existsSync(file) ? (readFileSync(file, 'utf8').split('\n')[0] ?? '') : null;
  }

  transactions(): string[] {
    const folder = join(this.state, 'txn');
    return existsSync(folder) ? readdirSync(folder).sort() : [];
  }

  history(): { transaction: string; action: string; version: string; outcome: string; run: string | null }[] {
    const file = join(this.state, 'history.jsonl');
    if (!existsSync(file)) return [];
    return readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
  }

  journal(transaction: string): string {
    const file = join(this.state, 'txn', transaction, 'journal');
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  }

  /** Folders of evidence, below `paths.forensics`. */
  forensics(): string[] {
    const folder = join(this.folder, 'var/backups/deployment-forensics');
    return existsSync(folder) ? readdirSync(folder).sort() : [];
  }

  /** What a finished transaction must not leave behind: temporary names, an open transaction, a lease. */
  leftovers(root = this.root): string[] {
    const temporary = (folder: string) =>
      existsSync(folder)
        ? readdirSync(folder).filter((name) => /^\.(partial|current)\.|\.tmp$|\.part$/.test(name))
        : [];
    const open = ['active', 'lease'].filter((name) => existsSync(join(this.state, name)));
    return [
      ...temporary(root),
      ...temporary(join(root, 'releases')),
      ...temporary(this.state),
      ...temporary(join(this.state, 'blobs')),
      ...readdirSync(join(this.folder, 'tmp')),
      ...open,
    ];
  }

  /** Every file below the machine's folder that a deployment could touch: path → kind, mode and content. */
  snapshot(): Record<string, string> {
    const found: Record<string, string> = {};
    const visit = (path: string): void => {
      for (const entry of readdirSync(join(this.folder, path), { withFileTypes: true })) {
        const below = join(path, entry.name);
        const full = join(this.folder, below);
        if (entry.isSymbolicLink()) found[below] = `link ${readlinkSync(full)}`;
        else if (entry.isDirectory()) {
          found[below] = `folder ${statSync(full).mode.toString(8)}`;
          visit(below);
        } else if (entry.isFile()) {
          const { mode, size, mtimeMs } = statSync(full);
          const text = size < 65_536 ? readFileSync(full, 'latin1') : `${size} bytes`;
          found[below] = `file ${mode.toString(8)} ${mtimeMs} ${text}`;
        }
      }
    };
    for (const part of ['etc', 'srv', 'var', 'tmp']) {
      found[part] = 'folder';
      visit(part);
    }
    return found;
  }

  // ---------------------------------------------------------------- faults

  /** Arms one fault; it strikes once. */
  arm({ verb, argument = '', when, what }: Fault): void {
    rmSync(join(this.folder, 'faults', 'reached'), { force: true });
    writeFileSync(join(this.folder, 'faults', 'armed'), `* ${verb}*${argument}*\t${when}\t${what}\n`);
  }

  /** Resolves once the armed fault has struck. */
  async reached(timeoutMs = 20_000): Promise<void> {
    const until = Date.now() + timeoutMs;
    while (!existsSync(join(this.folder, 'faults', 'reached'))) {
      if (Date.now() > until) throw new Error(`${this.name}: the fault was not reached within ${timeoutMs} ms`);
      await sleep(10);
    }
  }

  /** What was held goes on. */
  release(): void {
    rmSync(join(this.folder, 'faults', 'armed'), { force: true });
    writeFileSync(join(this.folder, 'faults', 'go'), '');
  }

  /** Resolves once the command that was held has run to its end. */
  async settled(timeoutMs = 20_000): Promise<void> {
    const until = Date.now() + timeoutMs;
    while (existsSync(join(this.folder, 'faults', 'struck'))) {
      if (Date.now() > until) throw new Error(`${this.name}: the held command did not end within ${timeoutMs} ms`);
      await sleep(10);
    }
  }

  async stop(): Promise<void> {
    this.release();
    await this.sshd.stop();
  }
}

/**
 * What every login runs instead of its command: it enters the machine, and lets an armed fault strike when the command is
 * the one it waits for. Requests to an agent that serves many are looked at one by one.
 */
function loginScript(folder: string, path: string, mark: string): string {
  return `#!/bin/sh
export PATH='${path}' HOME='${folder}' TMPDIR='${folder}/tmp' USER=deploy LOGNAME=deploy SHELL=/bin/sh ${marker}='${mark}'
exec ${folderDescriptor}<'${folder}'
cd '${folder}' || exit 97
f='${folder}/faults' tab='	' nl='
'
# Takes the armed fault when it waits for this: sets $w to its time, or to nothing.
choose() {
  w='' what=''
  if [ -f "$f/armed" ]; then
    IFS=$tab read -r pattern when what_armed <"$f/armed"
    case $1 in
      $pattern) if mv "$f/armed" "$f/armed.$$" 2>/dev/null; then w=$when what=$what_armed; rm -f "$f/go"; fi ;;
    esac
  fi
}
# Ends the listener $1 and every connection that it accepted, and nothing that they started.
cut() {
  kill -STOP "$1"
  all=$1
  for session in $(cat "/proc/$1/task/$1/children"); do
    all="$all $session"
    for below in $(cat "/proc/$session/task/$session/children"); do
      case $(cat "/proc/$below/comm") in sshd*) all="$all $below" ;; esac
    done
  done
  # All at once: who loses one connection must not be heard on another.
  kill -STOP $all
  kill -9 $all
}
strike() {
  : >"$f/reached"
  if [ "$what" = cut ]; then
    read -r pid_file <"$f/sshd-pid-file"
    cut "$(cat "$pid_file")"
    exit 98
  fi
  while [ ! -f "$f/go" ]; do sleep 0.02; done
  if [ "$what" = drop ]; then
    rm -f "$f/struck"
    kill -9 $PPID
    exit 98
  fi
}
serve() {
  # An agent that is not there ends before it is asked. Not ignored: what is started here would inherit that.
  trap : PIPE
  mkfifo "$f/up.$$" "$f/down.$$"
  /bin/sh -c "$SSH_ORIGINAL_COMMAND" <"$f/up.$$" >"$f/down.$$" &
  exec 6>"$f/up.$$" 5<"$f/down.$$"
  rm -f "$f/up.$$" "$f/down.$$"
  while IFS= read -r line; do
    request=$line$nl
    call=" $(printf '%s' "\${line#ds1*call*$tab}" | tr '	' ' ')"
    while IFS= read -r line; do
      request=$request$line$nl
      [ "$line" != "ds1\${tab}run" ] || break
    done
    choose "$call"
    if [ "$w" = before ]; then
      : >"$f/struck"
      strike
    fi
    printf '%s' "$request" >&6
    case $call in " "[0-9]*" receive "*) head -c "\${call##*bytes=}" >&6 ;; esac
    answer='' ended=yes
    while IFS= read -r line <&5; do
      answer=$answer$line$nl
      case $line in "ds1\${tab}done"*) ended=no; break ;; esac
    done
    [ "$w" != before ] || rm -f "$f/struck"
    [ "$w" != after ] || strike
    printf '%s' "$answer"
    [ "$ended" = no ] || break
  done
  exec 6>&-
  wait
}
# What follows the agent's own arguments, where the verb is.
line=" \${SSH_ORIGINAL_COMMAND##*--root }"
# Nothing can be armed for a user who may not write there.
[ -w "$f" ] || exec /bin/sh -c "$SSH_ORIGINAL_COMMAND"
case $line in
  *" serve" | *" serve$nl"*) serve; exit ;;
esac
choose "$line"
if [ "$w" = before ]; then
  : >"$f/struck"
  strike
  /bin/sh -c "$SSH_ORIGINAL_COMMAND"
  code=$?
  rm -f "$f/struck"
  exit "$code"
fi
if [ "$w" = after ]; then
  out=$f/answer.$$
  /bin/sh -c "$SSH_ORIGINAL_COMMAND" >"$out"
  code=$?
  strike
  cat "$out"
  exit "$code"
fi
exec /bin/sh -c "$SSH_ORIGINAL_COMMAND"
`;
}
