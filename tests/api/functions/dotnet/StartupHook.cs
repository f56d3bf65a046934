// What DOTNET_STARTUP_HOOKS names: called before the program's own Main.
internal class StartupHook {
    public static void Initialize() {
        System.AppContext.SetSwitch("unused", true);
        System.AppDomain.CurrentDomain.SetData("hook", "was here");
    }
}
