/*
 * Wine 8 has no bcryptprimitives.dll, which every Windows has and from which Bun takes its random numbers. This one
 * stands beside the executable in the tests; it is never shipped.
 */
#include <windows.h>

BOOLEAN NTAPI SystemFunction036(PVOID buffer, ULONG length);

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T length)
{
    return SystemFunction036(data, (ULONG)length);
}
