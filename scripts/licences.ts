import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const separator = `\n${'-'.repeat(80)}\n\n`;

/** Name, version, licence and licence text of every package, sorted by name. Throws for a package without a licence. */
export function renderLicences(root: string, packages: Iterable<string>): string {
  const notices = [...new Set(packages)].sort().map((folder) => notice(join(root, folder)));
  const intro = 'The bundles in this folder contain code of these packages, under these licences.\n';
  return [intro, ...notices].join(separator);
}

function notice(folder: string): string {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const file = readdirSync(folder)
    .sort()
    .find((entry) => /^(licen[cs]e|copying)(\.|-|$)/i.test(entry));
  const licence = typeof license === 'string' ? license : license?.type;
  if (!licence && !file) throw new Error(`the package ${name} says nothing about its licence`);
  const text = file ? readFileSync(join(folder, file), 'utf8').replaceAll('\r\n', '\n').trim() : '';
  return `${name} ${version}\n${licence ?? 'see below'}\n\n${text}\n`;
}
