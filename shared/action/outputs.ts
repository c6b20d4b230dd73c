import { setOutput } from '@actions/core';
import { SafeguardError, toError } from '../errors';
import type { Log } from '../ports';
import { containsSecret, maskDeep } from './secrets';

/** null becomes the empty text; objects and arrays become JSON with secrets masked. */
export type OutputValue = string | number | boolean | null | object;

/**
 * Sets the outputs of the step. A plain value that contains a secret is left out with a warning: the runner would drop
 * it anyway, without saying so. Throws SafeguardError, fault `configuration`, code `output-not-written`, when the runner's
 * disk refuses: later steps would read nothing.
 */
export function setOutputs(values: Readonly<Record<string, OutputValue>>, log: Log): void {
  for (const [name, value] of Object.entries(values)) {
    const text = outputText(value);
    if (containsSecret(text)) {
      log.warning(`The output \`${name}\` is not set, because its value contains a secret.`);
    } else {
      writeOutput(name, text);
    }
  }
}

function writeOutput(name: string, text: string): void {
  try {
    setOutput(name, text);
  } catch (error) {
    throw new SafeguardError(`The output \`${name}\` could not be written: ${toError(error).message}.`, {
      fault: 'configuration',
      code: 'output-not-written',
      remedy: 'Free space on the runner and check that its user may write to the file in GITHUB_OUTPUT.',
      cause: error,
    });
  }
}

function outputText(value: OutputValue): string {
  if (value === null) return '';
  return typeof value === 'object' ? JSON.stringify(maskDeep(value)) : String(value);
}
