/** `footman schema`: the JSON Schema of the configuration file. */
import { configJsonSchema } from '../app/config/json-schema.ts'
import { type CommandIo, EXIT } from './io.ts'

export function runSchema(io: CommandIo): number {
  io.out(JSON.stringify(configJsonSchema(), null, 2))
  return EXIT.ok
}
