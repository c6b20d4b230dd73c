import * as z from 'zod';
import { rule } from '../../manifest/fields';

/** A path on a host, of a file or a folder. */
export const hostPath = z
  .string()
  .regex(/^\/[^\0\r\n]*$/, rule('a path on a host starts with / and stays on one line'));
