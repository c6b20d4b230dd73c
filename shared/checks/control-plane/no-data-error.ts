import { SafeguardError } from '../../errors';

/** For an answer that does not say what was asked, or none: the attempt is inconclusive. */
export function noDataError(what: string, remedy: string): SafeguardError {
  return new SafeguardError(`no data: ${what}`, { fault: 'host', code: 'control-plane-no-data', remedy });
}
