/** What `sc.exe` prints, on English and on localised Windows. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { failureNumber, failureText, parseConfig, parseQuery } from '../../../src/monitors/services/windows-reader.ts'

const crlf = (text: string) => text.replaceAll('\n', '\r\n')

const LIST = crlf(`
SERVICE_NAME: QlikSenseEngineService
DISPLAY_NAME: Qlik Sense Engine Service
        TYPE               : 10  WIN32_OWN_PROCESS  
        STATE              : 4  RUNNING 
                                (STOPPABLE, NOT_PAUSABLE, ACCEPTS_PRESHUTDOWN)
        WIN32_EXIT_CODE    : 0  (0x0)
        SERVICE_EXIT_CODE  : 0  (0x0)
        CHECKPOINT         : 0x0
        WAIT_HINT          : 0x0

SERVICE_NAME: QlikSensePrintingService
DISPLAY_NAME: Qlik Sense Printing Service: STATE 4
        TYPE               : 10  WIN32_OWN_PROCESS  
        STATE              : 1  STOPPED 
        WIN32_EXIT_CODE    : 1077  (0x435)
        SERVICE_EXIT_CODE  : 0  (0x0)
        CHECKPOINT         : 0x0
        WAIT_HINT          : 0x0

SERVICE_NAME: MSSQL$PROD
DISPLAY_NAME: SQL Server (PROD)
        TYPE               : 10  WIN32_OWN_PROCESS  
        STATE              : 2  START_PENDING 
                                (NOT_STOPPABLE, NOT_PAUSABLE, IGNORES_SHUTDOWN))
        WIN32_EXIT_CODE    : 0  (0x0)
        SERVICE_EXIT_CODE  : 0  (0x0)
        CHECKPOINT         : 0x1
        WAIT_HINT          : 0x7530
`)

const GERMAN = crlf(`
SERVICE_NAME: QlikSenseEngineService 
        TYP                : 10  WIN32_OWN_PROCESS  
        STATUS             : 1  STOPPED 
        WIN32_EXIT_CODE    : 0  (0x0)
        DIENST_EXIT_CODE   : 0  (0x0)
        PRÜFPUNKT          : 0x0
        WARTEHINWEIS       : 0x0
`)

const FRENCH = crlf(`
NOM_SERVICE : QlikSenseEngineService
        TYPE               : 10  WIN32_OWN_PROCESS
        ÉTAT               : 7  PAUSED
                                (STOPPABLE, PAUSABLE, IGNORES_SHUTDOWN)
        CODE_SORTIE_WIN32  : 0  (0x0)
`)

describe('sc query', () => {
  test('of all services', () => {
    expect(parseQuery(LIST)).toEqual([
      { name: 'QlikSenseEngineService', status: 'RUNNING' },
      { name: 'QlikSensePrintingService', status: 'STOPPED' },
      { name: 'MSSQL$PROD', status: 'START_PENDING' },
    ])
  })

  test('of one service, on German and on French Windows', () => {
    expect(parseQuery(GERMAN)).toEqual([{ name: 'QlikSenseEngineService', status: 'STOPPED' }])
    expect(parseQuery(FRENCH)).toEqual([{ name: 'QlikSenseEngineService', status: 'PAUSED' }])
    // The code page of the console is not always known.
    expect(parseQuery(FRENCH.replaceAll('É', '\uFFFD'))).toEqual([{ name: 'QlikSenseEngineService', status: 'PAUSED' }])
  })

  test.each([
    [1, 'STOPPED'],
    [2, 'START_PENDING'],
    [3, 'STOP_PENDING'],
    [4, 'RUNNING'],
    [5, 'CONTINUE_PENDING'],
    [6, 'PAUSE_PENDING'],
    [7, 'PAUSED'],
    [8, null],
  ])('number %d is %p, whatever the word', (number, status) => {
    const text = `SERVICE_NAME: A\r\n        TYPE : 10  X\r\n        STATE : ${number}  MOT\r\n`
    expect(parseQuery(text)).toEqual([{ name: 'A', status: status as never }])
  })

  test('a list that was cut says so, and is no service', () => {
    const cut = `${LIST}\r\nEnum: more data, need 1822 bytes start resume at index 79\r\n`
    expect(parseQuery(cut)).toHaveLength(3)
  })

  test('nothing, and noise, are no services', () => {
    expect(parseQuery('')).toEqual([])
    expect(parseQuery('\r\n: : :\r\n    : \r\n[SC] x: 5\r\n')).toEqual([])
    fc.assert(fc.property(fc.string(), (text) => Array.isArray(parseQuery(text))))
    fc.assert(
      fc.property(fc.array(fc.constantFrom('SERVICE_NAME: A', '   TYPE : 1', ':', '   : b', '[SC] 5', '')), (lines) => {
        for (const { name } of parseQuery(lines.join('\r\n'))) expect(name).toBe('A')
        parseConfig(lines.join('\n'))
      }),
    )
  })
})

const CONFIG = crlf(`[SC] QueryServiceConfig SUCCESS

SERVICE_NAME: QlikSenseSchedulerService
        TYPE               : 10  WIN32_OWN_PROCESS 
        START_TYPE         : 2   AUTO_START  (DELAYED)
        ERROR_CONTROL      : 1   NORMAL
        BINARY_PATH_NAME   : "C:\\Program Files\\Qlik\\Sense\\Scheduler\\Scheduler.exe"
        LOAD_ORDER_GROUP   : 
        TAG                : 0
        DISPLAY_NAME       : Qlik Sense Scheduler Service
        DEPENDENCIES       : QlikSenseRepositoryService
                           : rpcss
        SERVICE_START_NAME : .\\qlikservice
`)

const GERMAN_CONFIG = crlf(`[SC] QueryServiceConfig ERFOLG

SERVICE_NAME: Spooler
        TYP                : 110  WIN32_OWN_PROCESS (interactive)
        STARTTYP           : 3   DEMAND_START
        FEHLERSTEUERUNG    : 1   NORMAL
        BINÄRPFADNAME      : C:\\WINDOWS\\System32\\spoolsv.exe
        LADEREIHENFOLGEGRUPPE   : SpoolerGroup
        TAG                : 0
        ANZEIGENAME        : Druckwarteschlange
        ABHÄNGIGKEITEN     : 
        DIENST_STARTNAME   : LocalSystem
`)

describe('sc qc', () => {
  test('start with delay, path with quotes and a drive, two dependencies', () => {
    expect(parseConfig(CONFIG)).toEqual({
      displayName: 'Qlik Sense Scheduler Service',
      startType: 'Automatic (delayed start)',
      exePath: '"C:\\Program Files\\Qlik\\Sense\\Scheduler\\Scheduler.exe"',
      dependencies: ['QlikSenseRepositoryService', 'rpcss'],
    })
  })

  test('on German Windows, without dependencies', () => {
    expect(parseConfig(GERMAN_CONFIG)).toEqual({
      displayName: 'Druckwarteschlange',
      startType: 'Manual',
      exePath: 'C:\\WINDOWS\\System32\\spoolsv.exe',
      dependencies: [],
    })
  })

  test.each([
    ['0   BOOT_START', 'Boot'],
    ['1   SYSTEM_START', 'System'],
    ['2   AUTO_START', 'Automatic'],
    ['2   AUTO_START  (VERZÖGERT)', 'Automatic (delayed start)'],
    ['3   DEMAND_START', 'Manual'],
    ['4   DISABLED', 'Disabled'],
    ['9   WHATEVER', ''],
  ])('START_TYPE %s is %s', (text, startType) => {
    const output = CONFIG.replace('2   AUTO_START  (DELAYED)', text)
    expect(parseConfig(output)?.startType).toBe(startType as never)
  })

  test('something else is null', () => {
    expect(parseConfig('')).toBeNull()
    expect(parseConfig(LIST.split('\r\n\r\n')[0]!.slice(0, 120))).toBeNull()
  })
})

describe('failures', () => {
  test.each([
    ['[SC] EnumQueryServicesStatus:OpenService FAILED 1060:\r\n\r\nThe specified service does not exist.\r\n', 1060],
    ['[SC] OpenSCManager FAILED 1722:\r\n\r\nThe RPC server is unavailable.\r\n', 1722],
    ['[SC] OpenSCManager FAILED 5:\r\n\r\nAccess is denied.\r\n', 5],
    [
      '[SC] EnumQueryServicesStatus:OpenService FEHLER 1060:\r\n\r\nDer Dienst ist kein installierter Dienst.\r\n',
      1060,
    ],
    ['[SC] OpenSCManager échec(s) 1722 :\r\n\r\nLe serveur RPC n’est pas disponible.\r\n', 1722],
  ])('%j', (output, number) => {
    expect(failureNumber(output)).toBe(number)
    expect(failureText(output)).not.toContain('\n')
    expect(failureText(output)).toContain(String(number))
  })

  test('success is none', () => {
    expect(failureNumber(CONFIG)).toBeNull()
    expect(failureNumber(LIST)).toBeNull()
  })
})
