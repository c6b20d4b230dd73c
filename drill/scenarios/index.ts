import type { Scenario } from '../scenario';
import { deceptiveVersion } from './deceptive-version';
import { failingVersion } from './failing-version';
import { firstDeployment } from './first-deployment';
import { goodDeployment } from './good-deployment';
import { killedRunner } from './killed-runner';
import { sameVersionAgain } from './same-version-again';
import { twoDeployers } from './two-deployers';

/** In the order in which they are played: each one finds the hosts as the one before left them. */
export const scenarios: readonly Scenario[] = [
  firstDeployment,
  goodDeployment,
  sameVersionAgain,
  failingVersion,
  deceptiveVersion,
  killedRunner,
  twoDeployers,
];
