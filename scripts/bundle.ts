import { join } from 'node:path';
import ncc from '@vercel/ncc';
import { minify } from 'terser';
import type { Entry } from './entries';

/** A bundle's files, by name, and the packages that went into it. */
export interface Bundle {
  name: string;
  files: Map<string, Buffer>;
  /** Folders of packages, relative to the repository: `node_modules/ssh2`. */
  packages: string[];
}

/** Largest index.js, in bytes: an action is loaded for every step. */
const largestBundle = 1.3 * 1000 * 1000;
/** ssh2 ships it to speak to PuTTY on Windows; our runners are Linux. */
const unwanted = new Set(['pagent.exe']);
/**
 * What no action here uses, and every start would pay for. A built-in module that is loaded anyway takes its place, so a
 * call would throw: getIDToken of @actions/core, whose HTTP client brings all of undici; sftp of ssh2's client and server;
 * pg's native and Cloudflare sockets; of the client of Redis, to which we give commands as words, its tables of them.
 */
const unused = {
  '@actions/http-client': 'node:fs',
  '@actions/http-client/lib/auth': 'node:fs',
  './protocol/SFTP.js': 'node:fs',
  './lib/cluster': 'node:fs',
  './lib/sentinel': 'node:fs',
  './lib/commands': 'node:string_decoder',
  '../commands': 'node:string_decoder',
  '../command-metadata': 'node:fs',
  '@node-rs/xxhash': 'node:fs',
  'pg-cloudflare': 'node:fs',
  'pg-native': 'node:fs',
};
/** How ncc's unminified output begins and ends a module. */
const moduleStart = /^\/\*{3}\/ (?=\()/gm;
const moduleEnd = /^\/\*{3}\/ \}\)/gm;
/** One character beyond Latin-1 makes V8 keep and scan the whole source with two bytes a character. */
const format = { comments: false, ascii_only: true };
const orphanChunk = /^\d+\.index\.js$/;
const binaryName = /\.(node|exe|dll|so|dylib|a|o|wasm)$/;
/** Marks a module's function for the minifier, which takes a pair of parentheses for superfluous but keeps a call. */
const eager = '__run_at_start__';
const binaryStarts = ['\u007fELF', 'MZ', '\u00cf\u00fa\u00ed\u00fe', '\0asm'];

/**
 * Bundles one entry for Node, minified. Throws an Error that lists what must not be in a bundle: binaries, chunks that a
 * dynamic import split off, paths of this machine, more bytes than allowed.
 */
export async function bundle(root: string, entry: Entry): Promise<Bundle> {
  const { code, assets, stats } = await ncc(join(root, entry.source), {
    cache: false,
    externals: unused,
    minify: false,
    quiet: true,
    target: 'es2022',
    transpileOnly: true,
  });
  const files = new Map<string, Buffer>([['index.js', Buffer.from(await minified(marked(code)))]]);
  for (const [name, { source }] of Object.entries(assets)) {
    if (!unwanted.has(name)) files.set(name, Buffer.from(source));
  }
  const problems = [...files].flatMap(([name, content]) => problemsOf(root, name, content));
  if (problems.length > 0) throw new Error(`${entry.source}: ${problems.join('; ')}`);
  return { name: entry.name, files, packages: packagesOf(root, stats.compilation.modules) };
}

/**
 * Wraps the function of every module in a call of `eager`. Nearly all of them run at the start, and V8 reads a function
 * twice, first only for where it ends, unless a parenthesis stands in front: https://v8.dev/blog/preparser#pife
 */
function marked(code: string): string {
  const starts = code.split(moduleStart).length;
  const ends = code.split(moduleEnd).length;
  const none = starts === 1 && code.includes('__webpack_modules__');
  if (none || starts !== ends || code.includes(eager)) {
    throw new Error(
      `ncc wrote ${starts - 1} starts and ${ends - 1} ends of modules: correct the patterns in bundle.ts`,
    );
  }
  return code.replace(moduleStart, `$&${eager}(`).replace(moduleEnd, '$&)');
}

/** ncc's own minifier shortens names but keeps code that nothing uses: a fifth of a bundle, parsed at every start. */
async function minified(code: string): Promise<string> {
  const { code: short } = await minify(code, { compress: { ecma: 2020 }, mangle: true, format });
  if (short === undefined) throw new Error('terser gave no code');
  return short.replaceAll(`${eager}(`, '(');
}

function problemsOf(root: string, name: string, content: Buffer): string[] {
  const problems: string[] = [];
  if (orphanChunk.test(name)) problems.push(`${name} is a split-off chunk: give the import() webpackMode: "eager"`);
  const start = content.subarray(0, 4).toString('latin1');
  if (binaryName.test(name) || binaryStarts.some((magic) => start.startsWith(magic))) {
    problems.push(`${name} is a binary, and binaries do not belong into dist`);
  }
  if (content.includes(root)) problems.push(`${name} contains the path of this checkout, ${root}`);
  if (name === 'index.js' && content.length > largestBundle) {
    problems.push(`index.js has ${content.length} bytes, ${largestBundle} are allowed`);
  }
  return problems;
}

function packagesOf(root: string, modules: Iterable<ncc.Module>): string[] {
  const packages = new Set<string>();
  for (const outer of modules) {
    for (const module of [outer, ...(outer.modules ?? [])]) {
      const match = /^.*\/node_modules\/(@[^/]+\/)?[^/]+/.exec(module.resource ?? '');
      if (match) packages.add(match[0].slice(root.length + 1));
    }
  }
  packages.delete('node_modules/@vercel/ncc');
  return [...packages].sort();
}
