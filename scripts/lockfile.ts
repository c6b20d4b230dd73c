/*
 * npm run lockfile
 *
 * Completes package-lock.json with the optional packages of other platforms. A registry that mirrors only the packages
 * of one platform makes npm leave the others out, and `npm ci` then refuses the lock everywhere. Such an entry has no
 * checksum; it is only ever installed on the platform that it is for.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { completeLock } from './platform-packages';

const path = join(process.cwd(), 'package-lock.json');
const completed = completeLock(JSON.parse(readFileSync(path, 'utf8')));
writeFileSync(path, `${JSON.stringify(completed.lock, null, 2)}\n`);
console.log(`${completed.added.length} packages of other platforms added to package-lock.json`);
