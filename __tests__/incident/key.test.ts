import { describe, expect, it } from '@jest/globals';
import { type IncidentIdentity, incidentKey } from '../../shared/incident/key';
import { readMarker, writeMarker } from '../../shared/incident/marker';

const identity: IncidentIdentity = {
  app: 'shop',
  environment: 'production',
  component: null,
  failedVersion: '2.0.0',
  epoch: 1,
};

describe('incidentKey', () => {
  it('stays the same from release to release, because open issues carry it', () => {
    expect(incidentKey(identity)).toBe('9f7a6f329d3f6cf752b2237193cef7fc');
  });

  it.each<Partial<IncidentIdentity>>([
    { app: 'shop2' },
    { environment: 'staging' },
    { component: 'backend' },
    { component: '' },
    { failedVersion: '2.0.1' },
    { epoch: 2 },
    { app: 'shopproduction', environment: '' },
  ])('differs with %p', (change) => {
    expect(incidentKey({ ...identity, ...change })).not.toBe(incidentKey(identity));
  });
});

describe('the marker', () => {
  const marker = { key: incidentKey(identity), delivery: 'b1b2' };

  it('is read back from the first line', () => {
    expect(readMarker(`${writeMarker(marker)}\r\nbody`)).toEqual(marker);
  });

  it('is not read from any other line', () => {
    expect(readMarker(`quoted\n${writeMarker(marker)}`)).toBeNull();
    expect(readMarker(`quoted ${writeMarker(marker)}`)).toBeNull();
  });
});
