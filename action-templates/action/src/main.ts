import type { Log } from '../../../shared/ports';
import type { Inputs } from './inputs';

export interface Ports {
  log: Log;
}

export interface Result {
  text: string;
}

/** The action's work. Throws SafeguardError when it cannot be done. */
export function run(inputs: Inputs, ports: Ports): Result {
  ports.log.info(`Looking at ${inputs.environment}.`);
  return { text: `${inputs.environment} after ${inputs.attempts}` };
}
