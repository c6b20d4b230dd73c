import { describe, expect, it } from '@jest/globals';
import { renderInputs, renderOutputs } from '../../scripts/action-docs';
import { replaceRegion } from '../../scripts/regions';

describe('a region of a README', () => {
  const text = 'a\n<!-- x:start -->\nold\n<!-- x:end -->\nb\n';

  it('is replaced, and nothing around it', () => {
    expect(replaceRegion(text, 'x', 'new')).toBe('a\n<!-- x:start -->\nnew\n<!-- x:end -->\nb\n');
  });

  it('is replaced by the same again', () => {
    const once = replaceRegion(text, 'x', 'new') ?? '';
    expect(replaceRegion(once, 'x', 'new')).toBe(once);
  });

  it('may be missing, but not broken', () => {
    expect(replaceRegion(text, 'y', 'new')).toBeNull();
    expect(() => replaceRegion('<!-- x:start -->', 'x', '')).toThrow('once, in this order');
    expect(() => replaceRegion('<!-- x:end --> <!-- x:start -->', 'x', '')).toThrow('once, in this order');
    expect(() => replaceRegion(text + text, 'x', '')).toThrow('once, in this order');
  });
});

describe('the tables', () => {
  const definition = {
    name: 'n',
    description: 'd',
    runs: { using: 'node24' as const, main: '' },
    inputs: {
      a: { description: 'one | two\nlines', required: true },
      b: { description: 'c', required: false, default: '${{ github.token }}' },
    },
    outputs: {},
  };

  it('keep each input on one row', () => {
    expect(renderInputs(definition)).toContain('| `a` | one \\| two lines | yes |  |');
    expect(renderInputs(definition)).toContain('| `b` | c | no | `${{ github.token }}` |');
  });

  it('say when there is nothing', () => {
    expect(renderOutputs(definition)).toContain('no outputs');
  });
});
