import type { AgentSource } from './agent-source';
import { command } from './quote';

/** Where the agent of one application lives on a host, and how it is started. */
export interface AgentPlace {
  /** `<paths.state>/<app>`, absolute. */
  root: string;
  sudo: boolean;
  source: AgentSource;
}

/** Exit code 3 and this code: the host does not have this version of the agent yet. */
export const agentMissing = 'agent-missing';

const runInstalled = `a=$1; shift
if [ -f "$a" ]; then exec /bin/sh "$a" "$@"; fi
printf 'ds1\\tend\\tstatus=refused\\tcode=${agentMissing}\\n'
exit 3`;

// Read-only verbs must leave no trace, so on a host without the agent its text comes over standard input, after the
// verb's own input: that one is short, and has to be read line by line because only the shell's own `read` takes not one
// byte more than it should.
const endOfInput = '#deploy-safeguard:end-of-input';
const runFromInput = `i= n='
'
while IFS= read -r l && [ "$l" != '${endOfInput}' ]; do i="$i$l$n"; done
t=$(cat)
printf '%s' "$i" | eval "$t"`;

const install = `umask 022
d=$1 f=$1/$2
mkdir -p "$d" || exit 1
cat >"$f.$$" && [ "$(sha256sum <"$f.$$")" = "$3  -" ] && chmod 644 "$f.$$" && { sync "$f.$$" 2>/dev/null || sync; } && mv -f "$f.$$" "$f" && exit 0
rm -f "$f.$$"
echo "cannot write $f as user $(id -un)" >&2
exit 1`;

function shell(place: AgentPlace, script: string, args: readonly string[]): string {
  // The link runs this under /bin/sh already: a shell of its own would cost every verb 2 ms.
  if (!place.sudo) return `${command(['set', '--', ...args])}\n${script}`;
  return command(['sudo', '-n', '/bin/sh', '-c', script, 'agent.sh', ...args]);
}

function fileName(place: AgentPlace): string {
  return `agent-${place.source.sha256}.sh`;
}

/** Runs a verb of the agent that is installed on the host. */
export function verbCommand(place: AgentPlace, verb: string, args: readonly string[]): string {
  return shell(place, runInstalled, [`${place.root}/${fileName(place)}`, '--root', place.root, verb, ...args]);
}

/** Runs a read-only verb without installing anything; `inlineInput` gives what its standard input has to be. */
export function inlineCommand(place: AgentPlace, verb: string, args: readonly string[]): string {
  return shell(place, runFromInput, ['--root', place.root, verb, ...args]);
}

export function inlineInput(place: AgentPlace, input: string): string {
  const lines = input === '' || input.endsWith('\n') ? input : `${input}\n`;
  return `${lines}${endOfInput}\n${place.source.text}`;
}

/** Installs the agent, whose text is the standard input, under the name of its content. */
export function installCommand(place: AgentPlace): string {
  return shell(place, install, [place.root, fileName(place), place.source.sha256]);
}
