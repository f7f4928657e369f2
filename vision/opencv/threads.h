#ifdef __cplusplus
extern "C" {
#endif
void loupe_set_threads(int n);
#ifdef __cplusplus
}
#endif
