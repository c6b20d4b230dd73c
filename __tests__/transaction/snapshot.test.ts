import { describe, expect, it } from '@jest/globals';
import { parseAnswer } from '../../shared/host/wire';
import { readSnapshot } from '../../shared/transaction/snapshot';

function read(lines: string[]) {
  const { records } = parseAnswer([...lines, 'end\tstatus=ok'].map((line) => `ds1\t${line}\n`).join(''));
  return readSnapshot('a', { status: 'ok', code: '', message: '', fields: {}, records });
}

describe('what status says', () => {
  it('is a host that nobody has deployed to when it says next to nothing', () => {
    const snapshot = read(['host\tepoch=0\tstate=idle\tactive=\tmachine=-\tbusy=no\tuser=root']);
    expect(snapshot).toMatchObject({
      host: 'a',
      epoch: 0,
      state: 'idle',
      active: null,
      plan: null,
      lease: null,
      busy: false,
    });
    expect([snapshot.critical, snapshot.history, snapshot.quarantine]).toEqual([null, [], []]);
  });

  it('takes a state that it does not know for one that has to go back', () => {
    expect(read(['host\tepoch=1\tstate=dancing\tactive=t1']).state).toBe('switching');
  });

  it('reads the lease, in seconds', () => {
    const { lease } = read([
      'host\tepoch=3\tstate=open\tactive=t1',
      'lease\ttransaction=t1\tepoch=3\talive=yes\tleft=1250\tlength=30\towner=-\trunner=r\tsince=s\tends=e',
    ]);
    expect(lease).toEqual({
      transaction: 't1',
      epoch: 3,
      alive: true,
      leftSeconds: 12.5,
      lengthSeconds: 30,
      owner: null,
      runner: 'r',
      since: 's',
      ends: 'e',
    });
  });

  it('reads decisions and marks of each transaction, and takes no unknown word for a decision', () => {
    const { transactions } = read([
      'transaction\tid=t1\tstate=confirmed\tdecision=commit\treverted-by=\tmarks=migration.db=applied:7%3D8 no-return=db ',
      'transaction\tid=t2\tstate=reverted\tdecision=perhaps\treverted-by=the lease\tmarks=',
    ]);
    expect(transactions.get('t1')?.decision).toBe('commit');
    expect([...(transactions.get('t1')?.marks ?? [])]).toEqual([
      ['migration.db', 'applied:7%3D8'],
      ['no-return', 'db'],
    ]);
    expect(transactions.get('t2')).toMatchObject({ decision: 'none', revertedBy: 'the lease' });
  });

  it('leaves out history that is torn or not ours', () => {
    const entry = { transaction: 't1', outcome: 'deployed', version: '1' };
    const { history } = read([
      `history\tline=${JSON.stringify(entry)}`,
      'history\tline={"transaction":"t2","outc',
      'history\tline=7',
      'history\tline={"other":1}',
      'history\tline=null',
    ]);
    expect(history).toEqual([entry]);
  });

  it('reads components, releases and what they were before', () => {
    const snapshot = read([
      'component\tname=web\tkind=release\trelease=r1\tversion=1.0\tsha=abc\tfile-version=-',
      'component\tname=old\tkind=surprise\trelease=-\tversion=-\tsha=-\tfile-version=0.9',
      'release\tcomponent=web\tid=r1\tversion=1.0\tsha=abc\tcreated=then',
      'previous\tcomponent=web\trelease=r0',
      'previous\tcomponent=old\trelease=-',
      'broken\tfile=/x.broken',
      'broken\tfile=/x.broken',
      'blob\tsha=abc',
    ]);
    expect(snapshot.components.get('web')).toMatchObject({
      kind: 'release',
      release: 'r1',
      version: '1.0',
      fileVersion: null,
    });
    expect(snapshot.components.get('old')).toMatchObject({ kind: 'none', release: null, fileVersion: '0.9' });
    expect([...snapshot.previous]).toEqual([
      ['web', 'r0'],
      ['old', null],
    ]);
    expect(snapshot.broken).toEqual(['/x.broken']);
    expect(snapshot.blobs.has('abc')).toBe(true);
  });

  it('reads a plan only of a transaction that is open', () => {
    expect(read(['host\tactive=t1\tstate=open', 'plan\tline=set\\tledger\\ta']).plan?.ledger).toBe('a');
    expect(read(['host\tactive=\tstate=idle', 'plan\tline=set\\tledger\\ta']).plan).toBeNull();
  });
});
