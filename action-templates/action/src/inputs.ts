import { integerInput, requiredString } from '../../../shared/action/readers';

export interface Inputs {
  environment: string;
  attempts: number;
}

/** Every input of the action, read once. Throws SafeguardError naming the input, its value and what is allowed. */
export function readInputs(): Inputs {
  return {
    environment: requiredString('environment'),
    attempts: integerInput('attempts', { min: 1, max: 10, fallback: 1 }),
  };
}
