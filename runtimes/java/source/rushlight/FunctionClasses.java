package rushlight;

import java.io.File;
import java.io.IOException;
import java.net.URL;
import java.net.URLClassLoader;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Where a function's classes are: its code, the libraries in it, those of layers. */
final class FunctionClasses {
    private FunctionClasses() {}

    static ClassLoader of(File code, File layers) throws IOException {
        List<URL> places = new ArrayList<>();
        places.add(code.toURI().toURL());
        addLibraries(new File(code, "lib"), places);
        addLibraries(new File(layers, "lib"), places);
        // The interfaces that this client has win over those of the same name in the function's own libraries.
        return new URLClassLoader(places.toArray(new URL[0]), ClassLoader.getSystemClassLoader());
    }

    private static void addLibraries(File directory, List<URL> places) throws IOException {
        File[] libraries = directory.listFiles((parent, name) -> name.endsWith(".jar"));
        if (libraries == null) {
            return;
        }
        // In the same order on every machine.
        Arrays.sort(libraries);
        for (File library : libraries) {
            places.add(library.toURI().toURL());
        }
    }
}
