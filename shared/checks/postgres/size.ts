import * as z from 'zod';
import { rule } from '../../manifest/fields';

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** An amount of data in a suite file, such as `16MiB`; in bytes once read. */
export const size = z
  .string()
  .regex(/^(?:0|[1-9][0-9]{0,8})(?:B|KiB|MiB|GiB|TiB)$/, rule('write a whole number and a unit: 512KiB, 16MiB or 1GiB'))
  .transform((text) => {
    const [, count, unit = 'B'] = /^([0-9]+)(.+)$/.exec(text) ?? [];
    return Number(count) * 1024 ** units.indexOf(unit);
  });

/** `1.5 GiB`: for people. */
export function sizeText(bytes: number): string {
  const power = bytes < 1024 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  return `${Number((bytes / 1024 ** power).toFixed(1))} ${units[power]}`;
}
