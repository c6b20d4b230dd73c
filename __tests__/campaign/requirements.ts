import { existsSync, readdirSync } from 'node:fs';
import { checkRequirements } from '../system/fleet/requirements';

/** @throws Error that says what is missing on this machine and how to get it */
export function checkCampaignRequirements(): void {
  checkRequirements();
  const found = readdirSync('/usr/lib').some((folder) => existsSync(`/usr/lib/${folder}/faketime/libfaketimeMT.so.1`));
  if (found) return;
  throw new Error(
    'The campaign needs libfaketime for the clock of a runner: run `apt-get install --no-install-recommends faketime`.',
  );
}
