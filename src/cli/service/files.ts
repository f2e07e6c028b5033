/** The files and folders of a configuration: what Footman reads, and where it writes. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { namedFiles } from '../../app/config/checks/files.ts'
import type { Config } from '../../app/schema.ts'
import { MAPPING_FILE } from '../../config/external.ts'
import type { ConfigPaths } from '../../config/paths.ts'

/** Folders besides data, log and schedules into which the features that are on write. */
export function writableFolders(config: Config, paths: ConfigPaths): string[] {
  const { footman, scheduler, scriptLog, qlikSenseCloud } = config
  const stores = [
    scriptLog.storeOnDisk.clientManaged.reloadTaskFailure,
    ...(qlikSenseCloud.enable ? [scriptLog.storeOnDisk.qsCloud.appReloadFailure] : []),
  ]
  const folders = [
    ...stores.filter(({ enable }) => enable).map(({ logDirectory }) => logDirectory),
    ...(scheduler.enable ? [footman.scheduler.appDumpDirectory] : []),
    ...config.fileCopyApprovedDirectories.map(({ toDirectory }) => toDirectory),
    ...config.fileMoveApprovedDirectories.flatMap(({ fromDirectory, toDirectory }) => [fromDirectory, toDirectory]),
    ...config.fileDeleteApprovedDirectories,
    ...(footman.files.createDirApprovedDirectories ?? []),
    config.configDirectories.qvdPath,
  ]
  return folders.filter((path) => path !== '').map((path) => paths.output(path))
}

/** Replaced when a schedule changes; null without a scheduler. */
export const scheduleFile = ({ scheduler }: Config, paths: ConfigPaths): string | null =>
  scheduler.enable ? paths.input(scheduler.configfile) : null

/** Certificates and keys; missing ones are where they are looked for first. */
export const certificateFiles = (config: Config, qlikConnection: boolean, paths: ConfigPaths): string[] =>
  namedFiles(config, qlikConnection)
    .filter(({ path }) => path !== '')
    .map(({ path, base }) => paths.input(path, base))

/** The file beside the configuration that names environment variables, when it is there. */
export const mappingFiles = (directory: string): string[] =>
  [join(directory, MAPPING_FILE)].filter((path) => existsSync(path))
