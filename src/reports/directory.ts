/** Where report tasks keep their files. */
import { join } from 'node:path'
import type { ConfigPaths } from '../config/paths.ts'

/** The folder of generated files; `dataDirectory` is that of Footman, absolute. */
export const reportDirectory = (
  section: { readonly dataDirectory: string },
  paths: Pick<ConfigPaths, 'output'>,
  dataDirectory: string,
): string => (section.dataDirectory ? paths.output(section.dataDirectory) : join(dataDirectory, 'report'))
