import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { renderSchemas } from '../../scripts/schemas';

describe('the published schemas', () => {
  it.each([...renderSchemas()])('%s is what npm run schema would write', (file, text) => {
    expect(readFileSync(join(process.cwd(), file), 'utf8')).toBe(text);
  });
});
