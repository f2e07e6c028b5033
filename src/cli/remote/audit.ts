/** `footman audit verify`. */
import { AUDIT_CHECK, type ChainCheck } from '../../http/contract.ts'
import { type CommandIo, EXIT } from '../io.ts'
import { OLD, type RemoteOptions, withRemote } from './client.ts'

/** Prints the state of the hash chains; the exit code is that of `missing` when an entry is not as it was written. */
export function runAuditVerify(options: RemoteOptions, io: CommandIo): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const check = await remote.ask(AUDIT_CHECK, { what: 'audit', switchedOff: OLD })
    if (options.json) io.out(JSON.stringify(check))
    else print(check, io)
    return check.broken ? EXIT.missing : EXIT.ok
  })
}

function print({ checked, unchained, chains, broken }: ChainCheck, io: CommandIo): void {
  for (const { chain, own, first, last, hash } of chains) {
    const entries = first === null ? 'no entries left' : `entries ${first} to ${last}, hash ${hash}`
    io.out(`${chain}${own ? ' (this node)' : ''}: ${entries}`)
  }
  if (unchained > 0) io.out(`${unchained} entries of a version without the chain were not checked.`)
  if (!broken) {
    io.out(`${checked} entries are as they were written.`)
    return
  }
  const which = broken.id === null ? `${broken.n}` : `${broken.n} (id ${broken.id})`
  io.err(`error: audit verify: chain ${broken.chain}, entry ${which}: ${broken.reason}.`)
  io.err('Compare with a backup, or with the copy of the entries that was exported: docs/security.md#audit')
}
