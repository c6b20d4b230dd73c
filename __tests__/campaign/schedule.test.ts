import { describe, expect, it } from '@jest/globals';
import { Random } from './random';
import { isGood, makeSchedule } from './schedule';

const many = Array.from({ length: 3000 }, (_, seed) => makeSchedule(seed, 5));
const faults = many.flatMap((schedule) => schedule.actions.flatMap((action) => action.faults));

describe('a schedule', () => {
  it('follows from its seed alone', () => {
    for (const seed of [0, 1, 7, 2 ** 32 - 1]) expect(makeSchedule(seed, 5)).toEqual(makeSchedule(seed, 5));
    expect(makeSchedule(1, 5)).not.toEqual(makeSchedule(2, 5));
  });

  it('names only hosts that it has', () => {
    for (const schedule of many) {
      const named = schedule.actions.flatMap(({ faults: own, spoiled }) => [
        spoiled ?? 0,
        schedule.databaseHost,
        ...own.flatMap((fault) => ('hosts' in fault ? fault.hosts : [])),
        ...own.flatMap(({ moment }) => ('host' in moment ? [moment.host] : [])),
      ]);
      expect(Math.max(...named)).toBeLessThan(schedule.hosts);
    }
  });

  it('keeps to the number of hosts that are there', () => {
    for (let seed = 0; seed < 200; seed += 1) expect(makeSchedule(seed, 3).hosts).toBe(3);
    expect(new Set(many.map(({ hosts }) => hosts))).toEqual(new Set([3, 4, 5]));
  });

  it('leaves out no kind of fault, moment, start or database', () => {
    expect(new Set(faults.map(({ kind }) => kind)).size).toBe(12);
    expect(new Set(faults.map(({ moment }) => moment.at))).toEqual(new Set(['time', 'phase', 'journal', 'standstill']));
    expect(new Set(many.map(({ start }) => start)).size).toBe(3);
    expect(new Set(many.map(({ database }) => database)).size).toBe(5);
  });

  it('pauses runners for longer than the lease', () => {
    for (const { leaseSeconds, actions } of many) {
      for (const fault of actions.flatMap((action) => action.faults)) {
        if (fault.kind === 'pause') expect(fault.ms).toBeGreaterThan(leaseSeconds * 1000);
      }
    }
  });

  it('says in the version whether it is good', () => {
    expect(['2.0.0-well', '2.0.0-large', '2.0.0-dies', '2.0.0-loops', '2.0.0-unhealthy'].map(isGood)).toEqual([
      true,
      true,
      false,
      false,
      false,
    ]);
  });
});

describe('random numbers', () => {
  it('are the same for the same seed and spread over their range', () => {
    const draw = (seed: number) => {
      const random = new Random(seed);
      return Array.from({ length: 1000 }, () => random.between(0, 9));
    };
    expect(draw(5)).toEqual(draw(5));
    for (let digit = 0; digit < 10; digit += 1) {
      expect(draw(5).filter((drawn) => drawn === digit).length).toBeGreaterThan(50);
    }
  });

  it('take some without taking one twice', () => {
    const random = new Random(3);
    for (let count = 1; count < 9; count += 1) {
      const taken = random.some([1, 2, 3, 4, 5], count);
      expect(new Set(taken).size).toBe(Math.min(count, 5));
    }
  });
});
