/** `footman template show`: the source of a built-in template. */
import { type CommandIo, EXIT } from '../io.ts'
import { BUILTIN_SOURCES } from './builtin.ts'

export function runTemplateShow(name: string, io: CommandIo): number {
  const source = BUILTIN_SOURCES.get(name.replace(/\.eta$/, ''))
  if (source !== undefined) {
    io.out(source.trimEnd())
    return EXIT.ok
  }
  io.err(
    `error: template ${name}: there is no built-in template of this name; there are ${[...BUILTIN_SOURCES.keys()].join(', ')}`,
  )
  return EXIT.badInput
}
