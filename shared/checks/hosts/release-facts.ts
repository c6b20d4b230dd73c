import { quote } from '../../host/quote';
import { unknown } from './ask-host';

/** What one host has of one component. */
export interface ComponentFacts {
  name: string;
  /** Where `current` leads to: a release, nothing at all, or something that is no release. */
  link: 'release' | 'none' | 'foreign';
  /** Id of the release; what else the link says where it leads to none. */
  release: string;
  /** Whether the release was unpacked to its end. */
  complete: boolean;
  version: string;
  sha256: string;
  /** Content of the version file; null where there is none. */
  fileVersion: string | null;
}

/** The release from which a process runs. */
export interface RunningRelease {
  component: string;
  pid: number;
  release: string;
}

export interface HostFacts {
  host: string;
  /** Transaction that was begun and not closed. */
  active: string | null;
  /** Transaction that holds the lock. */
  lease: string | null;
  /** What a person was asked to look at. */
  critical: string | null;
  /** Temporary and broken files, and links, that nobody works on any more. */
  leftovers: string[];
  components: ComponentFacts[];
  running: RunningRelease[];
}

export interface ReleasePlace {
  name: string;
  root: string;
  versionFile: string | null;
  /** Main processes of its service. */
  pids: readonly number[];
}

// Younger files belong to whoever works there right now.
const oldEnough = '-mmin +1';

const functions = `
component() { # name root version-file
  link=none id=- complete=no version=- sha=- file=-
  if [ -L "$2/current" ]; then
    link=foreign id=$(readlink "$2/current")
    case $id in
      releases/*) link=release id=\${id#releases/} ;;
      "$2"/releases/*) link=release id=\${id#"$2"/releases/} ;;
    esac
    if [ "$link" = release ] && [ -d "$2/releases/$id" ] && [ -f "$2/releases/.meta/$id" ]; then
      complete=yes
      IFS='	' read -r version sha _ <"$2/releases/.meta/$id" || :
    fi
  elif [ -e "$2/current" ]; then
    link=foreign id='a folder'
  fi
  if [ -n "$3" ] && [ -f "$2/$3" ]; then IFS= read -r file <"$2/$3" || :; fi
  printf 'component\\t%s\\t%s\\t%s\\t%s\\t%s\\t%s\\t%s\\n' "$1" "$link" "$id" "$complete" "$version" "$sha" "$file"
  find "$2" "$2/releases" -maxdepth 1 \\( -name '.partial.*' -o -name '.current.*' \\) ${oldEnough} 2>/dev/null | sed 's/^/left	/'
}
running() { # name root pid: by the folder that the process is in, its program, or a file that it keeps open
  real=$(cd "$2" 2>/dev/null && pwd -P) || return 0
  id=$({ ls -ld "/proc/$3/cwd" "/proc/$3/exe"; ls -l "/proc/$3/fd"; } 2>/dev/null | awk -v p=" -> $real/releases/" '
    { at = index($0, p) }
    at && !done { rest = substr($0, at + length(p)); sub(/[ \\/].*/, "", rest); print rest; done = 1 }')
  if [ -n "$id" ]; then printf 'running\\t%s\\t%s\\t%s\\n' "$1" "$3" "$id"; fi
}`;

/** Shell text that prints a line a fact, its fields split by tabs. `root`: folder of the agent's state. */
export function releasesQuestion(root: string, places: readonly ReleasePlace[]): string {
  return [
    `root=${quote(root)}`,
    'if [ -e "$root" ] && ! { [ -r "$root" ] && [ -x "$root" ]; }; then echo "$root may not be read by this user" >&2; exit 1; fi',
    'for file in active lease CRITICAL; do',
    '  if [ -s "$root/$file" ]; then IFS= read -r line <"$root/$file" || :; printf "%s\\t%s\\n" "$file" "$line"; fi',
    'done',
    `find "$root" -maxdepth 3 \\( -name '*.tmp' -o -name '*.broken' -o -name 'agent-*.sh.[0-9]*' \\) ${oldEnough} 2>/dev/null | sed 's/^/left	/'`,
    functions,
    ...places.flatMap(({ name, root: folder, versionFile, pids }) => [
      `component ${quote(name)} ${quote(folder)} ${quote(versionFile ?? '')}`,
      ...pids.map((pid) => `running ${quote(name)} ${quote(folder)} ${pid}`),
    ]),
    'echo end',
  ].join('\n');
}

/** @throws SafeguardError when the answer was cut off or lacks a component. */
export function parseReleases(host: string, stdout: string, places: readonly ReleasePlace[]): HostFacts {
  const facts: HostFacts = {
    host,
    active: null,
    lease: null,
    critical: null,
    leftovers: [],
    components: [],
    running: [],
  };
  const lines = stdout.trimEnd().split('\n');
  for (const line of lines) addFact(facts, line.split('\t'));
  const missing = places.filter(({ name }) => !facts.components.some((component) => component.name === name));
  if (lines.at(-1) === 'end' && missing.length === 0) return facts;
  throw unknown(host, 'the answer about its releases is cut off', 'Ask again; see whether the host is overloaded.');
}

function addFact(facts: HostFacts, [kind, ...fields]: string[]): void {
  const [first = '', second = '', third = '', fourth = '', fifth = '', sixth = '', seventh = ''] = fields;
  switch (kind) {
    case 'active':
      facts.active = first;
      break;
    case 'lease':
      facts.lease = first;
      break;
    case 'CRITICAL':
      facts.critical = fields.join(' ');
      break;
    case 'left':
      facts.leftovers.push(fields.join('\t'));
      break;
    case 'running':
      facts.running.push({ component: first, pid: Number(second), release: third });
      break;
    case 'component':
      facts.components.push({
        name: first,
        link: second === 'release' || second === 'none' ? second : 'foreign',
        release: third,
        complete: fourth === 'yes',
        version: fifth,
        sha256: sixth,
        fileVersion: seventh === '-' ? null : seventh,
      });
  }
}
