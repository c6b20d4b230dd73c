import { setOutput } from '@actions/core';
import type { Log } from '../ports';
import { containsSecret, maskDeep } from './secrets';

/** null becomes the empty text; objects and arrays become JSON with secrets masked. */
export type OutputValue = string | number | boolean | null | object;

/**
 * Sets the outputs of the step. A plain value that contains a secret is left out with a warning: the runner would drop
 * it anyway, without saying so.
 */
export function setOutputs(values: Readonly<Record<string, OutputValue>>, log: Log): void {
  for (const [name, value] of Object.entries(values)) {
    const text = outputText(value);
    if (containsSecret(text)) {
      log.warning(`The output \`${name}\` is not set, because its value contains a secret.`);
    } else {
      setOutput(name, text);
    }
  }
}

function outputText(value: OutputValue): string {
  if (value === null) return '';
  return typeof value === 'object' ? JSON.stringify(maskDeep(value)) : String(value);
}
