/* Runs a program in a console of its own, as a service manager does, and stops it as WinSW and NSSM do: with Ctrl-C.
 * ctrl-c.exe "COMMAND LINE": a line on standard input is the wish to stop; prints "ended N" and ends with 0. */
#include <windows.h>
#include <stdio.h>

int main(int argc, char **argv) {
  STARTUPINFOA startup = {0};
  PROCESS_INFORMATION process = {0};
  char line[16];
  DWORD code = 0;
  if (argc != 2) return 2;
  startup.cb = sizeof startup;
  startup.dwFlags = STARTF_USESTDHANDLES;
  startup.hStdInput = INVALID_HANDLE_VALUE;
  startup.hStdOutput = GetStdHandle(STD_OUTPUT_HANDLE);
  startup.hStdError = GetStdHandle(STD_ERROR_HANDLE);
  if (!CreateProcessA(NULL, argv[1], NULL, NULL, TRUE, CREATE_NEW_CONSOLE, NULL, NULL, &startup, &process)) {
    printf("not started %lu\n", GetLastError());
    return 3;
  }
  if (!fgets(line, sizeof line, stdin)) return 4;
  FreeConsole();
  if (!AttachConsole(process.dwProcessId)) {
    printf("not attached %lu\n", GetLastError());
    fflush(stdout);
  }
  /* Not for this program. */
  SetConsoleCtrlHandler(NULL, TRUE);
  if (!GenerateConsoleCtrlEvent(CTRL_C_EVENT, 0)) printf("not sent %lu\n", GetLastError());
  if (WaitForSingleObject(process.hProcess, 40000) != WAIT_OBJECT_0) {
    TerminateProcess(process.hProcess, 99);
    WaitForSingleObject(process.hProcess, 5000);
  }
  GetExitCodeProcess(process.hProcess, &code);
  printf("ended %lu\n", code);
  return 0;
}
