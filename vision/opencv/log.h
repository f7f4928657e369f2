#ifdef __cplusplus
extern "C" {
#endif
void loupe_silence(void);
#ifdef __cplusplus
}
#endif
