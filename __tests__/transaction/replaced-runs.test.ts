import { describe, expect, it } from '@jest/globals';
import type { ServiceMoment } from '../../shared/manifest/environment';
import { replacedRuns } from '../../shared/transaction/replaced-runs';
import { component, environment, sample } from '../checks/doubles';

const service = (when: ServiceMoment) => ({ manager: 'systemd' as const, units: ['app'], when, timeoutSeconds: 60 });
const site = (when: ServiceMoment) => environment({ components: [component({ service: service(when) })] });

describe('the runs that a deployment replaces', () => {
  it.each(['restart', 'stop-start'] as const)('are those of services that are started anew by %s', (when) => {
    const services = { 'web-01': [sample()], 'web-02': [sample()] };
    expect(replacedRuns(site(when), services, ['web-01'])).toEqual({ 'web-01': [sample()] });
  });

  it('are none where a service is only reloaded, as that keeps its run', () => {
    expect(replacedRuns(site('reload'), { 'web-01': [sample()] }, ['web-01'])).toEqual({ 'web-01': [] });
  });

  it('are none on a host without components, or whose services nobody saw', () => {
    expect(replacedRuns(site('restart'), { 'db-01': [] }, ['db-01', 'web-02'])).toEqual({ 'db-01': [], 'web-02': [] });
  });

  it('are none of a service that was not up: it may have waited for its first release, and goes on from there', () => {
    const waiting = sample({ active: false, state: 'activating/start-pre' });
    expect(replacedRuns(site('restart'), { 'web-01': [waiting] }, ['web-01'])).toEqual({ 'web-01': [] });
  });

  it('are also those that were up before a first deployment', () => {
    expect(replacedRuns(site('restart'), { 'web-01': [sample()] }, ['web-01'])['web-01']).toHaveLength(1);
  });
});
